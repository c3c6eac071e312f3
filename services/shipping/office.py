"""The shipping office: what becomes of a shipment when a message comes or a carrier answers, and who is told.

Every function works in the transaction that it is given, so that the shipment, its event and what carriers are to be
told change together or not at all.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from chassis.database import Session
from chassis.events import Envelope, event
from chassis.ids import new_id
from chassis.outbox import Outbox
from shipping import store
from shipping.carriers.port import Booking
from shipping.domain.shipment import Shipment, Status
from shipping.store import Record

Change = Callable[[Shipment], Shipment]

_TOLD: Final = {
    Status.BOOKED: "ShipmentBooked",
    Status.DISPATCHED: "ShipmentDispatched",
    Status.DELIVERED: "ShipmentDelivered",
    Status.FAILED: "ShipmentFailed",
}


class Office:
    """Changes shipments. ``carriers`` are the names of all that may have been asked."""

    def __init__(self, *, outbox: Outbox, carriers: Iterable[str], now: Callable[[], datetime]) -> None:
        self._outbox = outbox
        self._carriers = tuple(carriers)
        self.now = now

    async def learn(
        self, session: Session, order_id: str, change: Change, *, cause: Envelope | None = None
    ) -> Shipment:
        """Something is heard about an order, which may be the first of it."""
        now = self.now()
        record = await store.open_record(session, Shipment(new_id(), order_id), now=now)
        return await self._change(session, replace(record, cause=record.cause or cause), change(record.shipment))

    async def book(self, session: Session, order_id: str, booking: Booking, *, doubtful: bool) -> Shipment:
        """A carrier took it. ``doubtful``: others may have, too."""
        record = await self._locked(session, order_id)
        after = record.shipment.booked(booking.carrier, booking.tracking_code)
        doubtful = doubtful or record.shipment.tries > 1
        return await self._change(session, record, after, look_at=booking.look_at, withdraw=doubtful)

    async def give_up(self, session: Session, order_id: str, reason: str) -> Shipment:
        """No carrier took it, and nobody tries any more."""
        record = await self._locked(session, order_id)
        return await self._change(session, record, record.shipment.failed(reason))

    async def put_off(self, session: Session, order_id: str, until: datetime) -> None:
        """Try again later."""
        record = await self._locked(session, order_id)
        if record.shipment.status is Status.REQUESTED:
            await store.save(session, record.shipment, now=self.now(), due_at=until)

    async def follow(
        self, session: Session, order_id: str, changes: Iterable[Change], *, look_at: datetime | None
    ) -> None:
        """The carrier has news: one change after another, each of which is told."""
        record: Record | None = None
        for change in changes:
            record = record or await self._locked(session, order_id)
            after = await self._change(session, record, change(record.shipment), look_at=look_at)
            record = replace(record, shipment=after)

    async def _locked(self, session: Session, order_id: str) -> Record:
        found = await store.lock_record(session, order_id)
        if found is None:
            raise LookupError(f"there is no shipment of the order {order_id}")
        return found

    async def _change(
        self,
        session: Session,
        record: Record,
        after: Shipment,
        *,
        look_at: datetime | None = None,
        withdraw: bool = False,
    ) -> Shipment:
        """Save what a shipment has become. ``withdraw``: other carriers may have a booking all the same."""
        before, now = record.shipment, self.now()
        if after == before:
            return after
        moved = after.status is not before.status
        asked = record.cause if moved and after.status is Status.REQUESTED else None
        due_at = record.due_at if not moved else now if asked else look_at
        await store.save(session, after, now=now, due_at=due_at, asked=asked)
        if moved:
            if withdraw or after.status in (Status.FAILED, Status.CANCELLED):
                await store.withdraw_from(session, after, after.unwanted(self._carriers), now=now)
            await self._tell(session, after, record.cause)
        return after

    async def _tell(self, session: Session, shipment: Shipment, cause: Envelope | None) -> None:
        event_type = _TOLD.get(shipment.status)
        if event_type is not None:
            told = event(event_type, _payload(shipment), cause=cause)
            await self._outbox.add(session, told, aggregate_id=shipment.order_id)


def _payload(shipment: Shipment) -> dict[str, Any]:
    about = {"orderId": shipment.order_id, "shipmentId": shipment.id, "saga": shipment.flow}
    if shipment.status is Status.FAILED:
        return {**about, "reason": shipment.reason}
    return {**about, "carrier": shipment.carrier, "trackingCode": shipment.tracking_code}
