"""What inventory does when others tell what has happened.

Each event has its effect once, however often it comes: the inbox remembers it in the transaction of its effect. Some
come late or overtake one another, which is normal; where an event contradicts what the shelves say, a person has to
look, so it goes to the dead letters with the contradiction as its cause.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from chassis.consumers import Poison
from chassis.database import Database, Session
from chassis.events import Envelope
from chassis.inbox import Inbox
from inventory import orders_language
from inventory.domain.errors import InventoryError, MoveRefusedError, ShortError
from inventory.stockroom import Stockroom, UnknownReservationError, done

_log = logging.getLogger(__name__)

CONSUMER: Final = "reservations"
_CHOREOGRAPHED: Final = "choreographed"

Reaction = Callable[[Session, Envelope], Awaitable[object]]


class Reactions:
    """Reactions to events, by their type."""

    def __init__(self, *, database: Database, inbox: Inbox, stockroom: Stockroom) -> None:
        self._database = database
        self._inbox = inbox
        self._stockroom = stockroom
        self._by_type: dict[str, Reaction] = {
            "OrderPlaced": self._placed,
            "PaymentCharged": self._paid,
            "OrderConfirmed": self._paid,
            "PaymentFailed": self._failed("payment-failed"),
            "ShipmentFailed": self._failed("shipment-failed"),
            "OrderCancelled": self._cancelled,
            "ShipmentDispatched": self._left,
            "ShipmentDelivered": self._left,
        }

    @property
    def event_types(self) -> list[str]:
        """What it reacts to."""
        return list(self._by_type)

    async def react(self, envelope: Envelope) -> None:
        """React to an event, unless that was done before."""
        if envelope.event_type == "OrderPlaced" and envelope.payload["saga"] != _CHOREOGRAPHED:
            return  # orders asks for what it wants

        async def once(session: Session) -> None:
            if await self._inbox.first_time(session, envelope, CONSUMER):
                await self._by_type[envelope.event_type](session, envelope)

        await done(self._database, once)

    async def _placed(self, session: Session, envelope: Envelope) -> None:
        """In the choreographed flow nobody asks for a reservation: the order itself is the request."""
        claim = orders_language.claim(envelope.payload)
        try:
            await self._stockroom.reserve(session, claim, cause=envelope)
        except (ShortError, MoveRefusedError) as refusal:
            await self._stockroom.refuse(session, claim.order_id, claim.flow, str(refusal), cause=envelope)
        except InventoryError as error:
            raise Poison(str(error)) from error

    async def _paid(self, session: Session, envelope: Envelope) -> None:
        order_id = envelope.payload["orderId"]
        try:
            await self._stockroom.commit(session, order_id, cause=envelope)
        except ShortError as short:
            flow = await self._stockroom.flow_of(session, order_id) or "orchestrated"
            reason = f"paid after the reservation had expired, and {short}"
            await self._stockroom.refuse(session, order_id, flow, reason, cause=envelope)
        except UnknownReservationError as unknown:
            _log.warning("paid without a reservation", extra={"orderId": order_id, "cause": str(unknown)})
        except MoveRefusedError:
            _log.info("paid after its release; a refund is on its way", extra={"orderId": order_id})

    def _failed(self, reason: str) -> Reaction:
        """In the choreographed flow a failure further on gives the goods back; else orders sees to that."""

        async def react(session: Session, envelope: Envelope) -> None:
            order_id = envelope.payload["orderId"]
            if await self._stockroom.flow_of(session, order_id) == _CHOREOGRAPHED:
                await self._release(session, envelope, reason)

        return react

    async def _cancelled(self, session: Session, envelope: Envelope) -> None:
        await self._stockroom.cancel(session, envelope.payload["orderId"], reason="cancelled", cause=envelope)

    async def _left(self, session: Session, envelope: Envelope) -> None:
        try:
            await self._stockroom.ship(session, envelope.payload["orderId"], cause=envelope)
        except InventoryError as error:
            raise Poison(f"a carrier has collected what it could not: {error}") from error

    async def _release(self, session: Session, envelope: Envelope, reason: str) -> None:
        order_id = envelope.payload["orderId"]
        await self._stockroom.release(session, order_id, reason=reason, flow="choreographed", cause=envelope)
