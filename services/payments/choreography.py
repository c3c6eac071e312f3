"""What other services' events make payments do: each once, in whatever sequence they come.

A choreographed order is charged when its stock is set aside, and its money goes back when it can't be shipped. What
must be known of the order came with ``OrderPlaced``; nobody is asked. Where the stock's event comes first it waits in
a row, and the order finds it there. A cancelled order gets its money back in either flow; in the orchestrated one that
was asked for before, so nothing is left to do.
"""

from typing import Any, Final

from sqlalchemy import RowMapping

from chassis.consumers import Poison
from chassis.database import Database, Session, insert_into
from chassis.events import Envelope
from chassis.inbox import Inbox
from payments.charging import Charged, Charging
from payments.deciding import decide
from payments.domain.charge import Charge
from payments.domain.errors import PaymentError
from payments.domain.money import Money
from payments.origin import Origin
from payments.store import accounts
from payments.store.tables import known_orders

CONSUMER: Final = "orders"
EVENT_TYPES: Final = ("OrderPlaced", "StockReserved", "ShipmentFailed", "OrderCancelled")
_CHOREOGRAPHED: Final = "choreographed"


class Choreography:
    """Reacts to events."""

    def __init__(self, database: Database, charging: Charging) -> None:
        self._database = database
        self._charging = charging
        self._inbox = Inbox()

    async def react(self, envelope: Envelope) -> None:
        """React to an event. The bank is asked afterwards: what is written is enough to go on from after a crash."""
        if envelope.payload.get("saga") != _CHOREOGRAPHED and envelope.event_type != "OrderCancelled":
            return  # orders asks for what it wants
        try:
            charge = await decide(self._database, lambda session: self._once(session, envelope))
            if charge is not None and charge.open:
                await self._charging.pursue(charge.order)
        except PaymentError as error:
            raise Poison(str(error)) from error

    async def _once(self, session: Session, envelope: Envelope) -> Charge | None:
        """What became of the charge, where the event has an effect on one."""
        payload, origin = envelope.payload, Origin.of_event(envelope)
        if not await self._inbox.first_time(session, envelope, CONSUMER):
            return await accounts.charge(session, payload["orderId"])
        match envelope.event_type:
            case "OrderPlaced":
                total = payload["total"]
                told = {"customer": payload["customer"], "amount": total["amount"], "currency": total["currency"]}
                return await self._learn(session, envelope, told)
            case "StockReserved":
                return await self._learn(session, envelope, {"reserved": 1})
            case "OrderCancelled":
                return await self._charging.cancel(session, payload["orderId"], payload["reason"], origin)
            case _:
                return await self._charging.intend_refund(session, payload["orderId"], payload["reason"], origin)

    async def _learn(self, session: Session, envelope: Envelope, told: dict[str, Any]) -> Charge | None:
        """Keep what an event tells about an order, and charge it once all is known."""
        order = envelope.payload["orderId"]
        new = insert_into(known_orders, session.dialect.name)
        learnt = new.on_conflict_do_update(index_elements=["order_id"], set_=told).returning(known_orders)
        row = {"order_id": order, "reserved": 0, "seen_at": envelope.timestamp, **told}
        known = (await session.execute(learnt, row)).mappings().one()
        if not known["reserved"] or known["customer"] is None:
            return None
        return await self._charging.intend(session, _charge(known), Origin.of_event(envelope))


def _charge(known: RowMapping) -> Charged:
    return Charged(
        order=known["order_id"],
        customer=known["customer"],
        money=Money(known["amount"], known["currency"]),
        method="card",
        saga=_CHOREOGRAPHED,
        key=f"{known['order_id']}/charge",
    )
