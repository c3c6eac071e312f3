"""What shipping does when others tell what has happened.

Orders is its customer: it says what it needs of an order to be shipped, and shipping conforms to that in its own words,
here. Nothing is asked back, so everything that a parcel needs must be in the message.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from chassis.consumers import Poison
from chassis.database import Database
from chassis.events import Envelope
from chassis.inbox import Inbox
from shipping.domain.shipment import Address, Parcel, Shipment, Status, TooLateError
from shipping.office import Change, Office

CONSUMER: Final = "shipments"


def _placed(payload: Mapping[str, Any]) -> Change | None:
    """In the choreographed flow nobody asks for a shipment: it is kept in mind until the order is paid."""
    if payload["saga"] != "choreographed":
        return None
    return lambda shipment: shipment.placed(flow="choreographed", parcel=parcel(payload))


def _charged(payload: Mapping[str, Any]) -> Change | None:
    """In the orchestrated flow orders sees to the payment itself."""
    return None if payload.get("saga") == "orchestrated" else Shipment.charged


def _requested(payload: Mapping[str, Any]) -> Change:
    return lambda shipment: shipment.requested(parcel(payload))


def _cancelled(payload: Mapping[str, Any]) -> Change:
    return lambda shipment: shipment.cancelled(payload["reason"])


_READ: Final[dict[str, Callable[[Mapping[str, Any]], Change | None]]] = {
    "OrderPlaced": _placed,
    "PaymentCharged": _charged,
    "ShipmentRequested": _requested,
    "OrderCancelled": _cancelled,
}
EVENT_TYPES: Final = tuple(_READ)


class Reactions:
    """Reactions to events. ``stir`` is called when there is a carrier to be found."""

    def __init__(self, *, database: Database, inbox: Inbox, office: Office, stir: Callable[[], None]) -> None:
        self._database = database
        self._inbox = inbox
        self._office = office
        self._stir = stir

    async def react(self, envelope: Envelope) -> None:
        """React to an event, unless that was done before."""
        change = _READ[envelope.event_type](envelope.payload)
        if change is None:
            return
        order_id = envelope.payload["orderId"]
        async with self._database.transaction() as session:
            if not await self._inbox.first_time(session, envelope, CONSUMER):
                return
            try:
                shipment = await self._office.learn(session, order_id, change, cause=envelope)
            except TooLateError as error:
                raise Poison(str(error)) from error
        if shipment.status is Status.REQUESTED:
            self._stir()


def parcel(payload: Mapping[str, Any]) -> Parcel:
    """The parcel that an order becomes. What a later version of the message adds is left out."""
    address = payload["address"]
    units: dict[str, int] = {}
    for item in payload["items"]:
        units[item["sku"]] = units.get(item["sku"], 0) + item["quantity"]
    return Parcel(
        Address(*(address[name] for name in ("name", "street", "postcode", "city", "country"))),
        tuple(sorted(units.items())),
    )
