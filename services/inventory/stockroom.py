"""Reservations: what each move does to the stock, and what others are told of it.

Every function works in the transaction that it is given, so that stock, reservation and event change together or not
at all. Each may be called again with the same order: the second call finds the first one's result.

Goods that many want are a queue: whoever moves them holds their rows until the commit. So a move is planned on what is
there, written down, and told; the goods themselves are moved last. Where others were faster, all of it begins anew.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeVar

from chassis import context
from chassis.database import Database, Session
from chassis.events import Envelope, event
from chassis.ids import new_id
from chassis.outbox import Outbox
from inventory import orders_language, store
from inventory.domain.allocation import Pick, allocate
from inventory.domain.errors import InventoryError, ShortError
from inventory.domain.reservation import LIFE, Effect, Flow, Move, Reservation, Status
from inventory.domain.stock import StockItem
from inventory.levels import Levels
from inventory.orders_language import Claim

T = TypeVar("T")

_PATIENCE: Final = 10.0
_CHANGES: Final[Mapping[Effect, Callable[[StockItem, int], StockItem]]] = {
    Effect.TAKE: StockItem.reserve,
    Effect.RETURN: StockItem.release,
    Effect.LEAVE: StockItem.ship,
    Effect.COME_BACK: StockItem.take_back,
}


class OtherDemandError(InventoryError):
    """The same order came with other items than before."""


class OvertakenError(Exception):
    """Others have taken what was planned on: end the transaction and begin anew, with what there is now."""


class UnknownReservationError(InventoryError):
    """Nothing was ever reserved for this order."""


async def done(database: Database, work: Callable[[Session], Awaitable[T]]) -> T:
    """What ``work`` gives, from a transaction in which nobody overtook it."""
    while True:
        try:
            async with database.transaction() as session:
                return await work(session)
        except OvertakenError:
            continue


class Stockroom:
    """What can be done with reservations. ``hold`` is how long one lasts until it is paid."""

    def __init__(self, *, outbox: Outbox, levels: Levels, hold: timedelta, now: Callable[[], datetime]) -> None:
        self._outbox = outbox
        self._levels = levels
        self._hold = hold
        self._now = now

    async def reserve(self, session: Session, claim: Claim, *, cause: Envelope | None = None) -> Reservation:
        """Hold all that an order wants, or nothing.

        Raises ``ShortError``, ``OtherDemandError``, and ``MoveRefusedError`` when the order was released before.
        """
        found = await self._open(session, claim, cause)
        found.step(Move.RESERVE)
        if found.demand != claim.demand:
            raise OtherDemandError(f"{claim.order_id} came with other items before; an order's items don't change")
        return await self._make(session, found, Move.RESERVE, cause=cause)

    async def commit(self, session: Session, order_id: str, *, cause: Envelope | None = None) -> Reservation:
        """The order is paid: hold its goods until they leave. If the hold has expired, take them anew.

        Raises ``UnknownReservationError``, ``MoveRefusedError``, and ``ShortError`` when others have got them.
        """
        return await self._make(session, await self._locked(session, order_id), Move.COMMIT, cause=cause)

    async def release(
        self, session: Session, order_id: str, *, reason: str, flow: Flow, cause: Envelope | None = None
    ) -> Reservation:
        """Give the goods of an order back, for good: whatever asks for them later is refused.

        An order that was never heard of is released too, because its request may have been overtaken; ``flow`` is the
        flow of such a one. Goods that have left are called back.
        """
        found = await self._open(session, Claim(order_id, flow, ()), cause)
        return await self._make(session, found, Move.RELEASE, cause=cause, reason=reason)

    async def cancel(self, session: Session, order_id: str, *, reason: str, cause: Envelope) -> None:
        """The same for an order that nobody leads; where its goods are free already, that is told again.

        Who cancels once more has missed it, or heard it before the reservation that it belongs to.
        """
        found = await self._open(session, Claim(order_id, "choreographed", ()), cause)
        after = await self._make(session, found, Move.RELEASE, cause=cause, reason=reason)
        if found.status in (Status.EXPIRED, Status.RELEASED) and found.demand and found.flow == "choreographed":
            await self._tell(session, order_id, "StockReleased", orders_language.released(after, reason), cause)

    async def ship(self, session: Session, order_id: str, *, cause: Envelope | None = None) -> Reservation:
        """The carrier has collected the goods. What nobody has committed yet was paid all the same.

        Raises ``UnknownReservationError`` and ``ShortError``.
        """
        found = await self._locked(session, order_id)
        if Move.SHIP not in LIFE[found.status]:
            found = await self._make(session, found, Move.COMMIT, cause=cause)
        return await self._make(session, found, Move.SHIP, cause=cause)

    async def expire_one(self, session: Session) -> bool:
        """Give the goods of one reservation back that nobody paid in time; whether there was one."""
        found = await store.lock_overdue(session, self._now())
        if found is None:
            return False
        with context.resume(found.origin, timeout=_PATIENCE):
            await self._make(session, found, Move.EXPIRE, reason="expired")
        return True

    async def refuse(
        self, session: Session, order_id: str, flow: Flow, reason: str, *, cause: Envelope | None = None
    ) -> None:
        """Tell others that the goods of an order can't be had."""
        payload = orders_language.refused(order_id, flow, reason)
        await self._tell(session, order_id, "StockReservationFailed", payload, cause)

    async def flow_of(self, session: Session, order_id: str) -> Flow | None:
        """The flow that an order is in, if anything was reserved for it."""
        found = await store.read_reservation(session, order_id)
        return found.flow if found else None

    async def _open(self, session: Session, claim: Claim, cause: Envelope | None) -> Reservation:
        now, request = self._now(), context.current()
        origin = cause.metadata.correlation_id if cause else request.request_id if request else claim.order_id
        fresh = Reservation(
            new_id(), claim.order_id, claim.flow, claim.demand, expires_at=now + self._hold, origin=origin
        )
        return await store.open_reservation(session, fresh, now=now)

    async def _locked(self, session: Session, order_id: str) -> Reservation:
        found = await store.lock_reservation(session, order_id)
        if found is None:
            raise UnknownReservationError(f"nothing was reserved for the order {order_id}")
        return found

    async def _make(
        self,
        session: Session,
        before: Reservation,
        move: Move,
        *,
        cause: Envelope | None = None,
        reason: str = "",
    ) -> Reservation:
        """Make a move with a reservation that is locked. Raises ``OvertakenError``."""
        step = before.step(move)
        if step.status is before.status:
            return before
        moved, expires_at = before.picks, None
        if step.effect is Effect.TAKE:
            moved, expires_at = await self._planned(session, before), self._now() + self._hold
        freed = step.effect in (Effect.RETURN, Effect.COME_BACK)
        after = before.after(step, picks=() if freed else moved, expires_at=expires_at)
        await store.save_reservation(session, before, after, now=self._now())
        if step.effect is Effect.TAKE:
            await self._tell(session, after.order_id, "StockReserved", orders_language.reserved(after), cause)
        if freed:
            payload = orders_language.released(after, reason)
            await self._tell(session, after.order_id, "StockReleased", payload, cause)
        await self._change(session, moved, step.effect, cause)
        return after

    async def _planned(self, session: Session, wanted: Reservation) -> tuple[Pick, ...]:
        """Where to take from, by what is on the shelves now: nothing is locked yet. Raises ``ShortError``."""
        items = await store.read_nearest(session, [sku for sku, _ in wanted.demand])
        return allocate(dict(wanted.demand), items)

    async def _change(self, session: Session, picks: tuple[Pick, ...], effect: Effect, cause: Envelope | None) -> None:
        """Move units. Everybody who wants the same goods waits from here on, so nothing but the commit comes after.

        Raises ``OvertakenError`` where others have taken what was planned.
        """
        change = _CHANGES.get(effect)
        if change is None or not picks:
            return
        for pick, before in (await store.lock_picked(session, picks)).items():
            try:
                after = change(before, pick.units)
            except ShortError as short:
                raise OvertakenError(str(short)) from short
            await self._levels.save(session, before, after, cause=cause)

    async def _tell(
        self, session: Session, order_id: str, event_type: str, payload: dict[str, object], cause: Envelope | None
    ) -> None:
        await self._outbox.add(session, event(event_type, payload, cause=cause), aggregate_id=order_id)
