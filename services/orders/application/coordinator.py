"""Drives sagas: makes the calls that are due, takes what is heard into account, stores each step before the next.

A saga is driven by one process at a time, which holds its lease; whatever that process does is stored over the version
it has read, so one that was taken for dead can do no harm when it wakes. A process that dies leaves a record from
which any other goes on: the call that was under way is made again, and the one called does it once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orders.application.storing import stored
from orders.domain.decide import decide, due
from orders.domain.errors import WrongStateError
from orders.domain.order import Event, Flow, Order, Party, Status
from orders.domain.saga import (
    Action,
    Call,
    CancelAsked,
    Decision,
    Done,
    Effect,
    Fact,
    Failed,
    Policy,
    Promised,
    Refused,
    Resolved,
    Saga,
    Step,
    TimeUp,
    TooLate,
    UndoFailed,
    Undone,
)
from orders.ports.services import Errands, NoAnswerError, Parcels, Payments, RefusedError, Stock
from orders.ports.storage import Lease, Storage, UnitOfWork, Work

LEASE = timedelta(seconds=10)
"""A saga whose driver has died is taken up by another process after this time."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that told something: the same one told twice counts once."""

    message_id: str
    fact: Fact


class Coordinator:
    """One process's hand in all sagas. ``driver`` is its name, which no other process has, nor it after a restart."""

    def __init__(  # noqa: PLR0913 - what it is made of
        self,
        *,
        storage: Storage,
        stock: Stock,
        payments: Payments,
        parcels: Parcels,
        errands: Errands,
        clock: Callable[[], datetime],
        driver: str,
        policy: Policy,
    ) -> None:
        self._storage = storage
        self._stock = stock
        self._payments = payments
        self._parcels = parcels
        self._errands = errands
        self._clock = clock
        self._driver = driver
        self._waiting: set[str] = set()
        self._driving: set[str] = set()
        self.policy = policy

    def lease(self) -> Lease:
        """The right to drive a saga from now on, for a while."""
        return Lease(self._driver, self._clock() + LEASE)

    async def drive(self, work: Work) -> Work:
        """Do what is due about a saga that we hold, until nothing is or another process holds it.

        Where this process is at it already, that goes on with whatever has changed meanwhile.
        """
        order_id = work.order.id
        self._waiting.discard(order_id)
        if order_id in self._driving:
            return work
        self._driving.add(order_id)
        try:
            while self._ours(work) and (todo := due(work.saga, self._clock())) is not None:
                fact = todo if isinstance(todo, TimeUp) else await self._call(work.order, todo)
                work = await self._learn(work, fact)
        finally:
            self._driving.discard(order_id)
        return work

    async def hear(self, order_id: str, heard: Heard) -> bool:
        """Take a message into account; False when it is about an order that we don't have."""

        async def hear(unit: UnitOfWork) -> tuple[bool, Work | None]:
            work = await unit.get(order_id)
            if work is None:
                return False, None
            if self._awaits_an_answer(work, heard.fact) or not await unit.first_time(heard.message_id):
                return True, None
            trail = {**work.saga.trail, "causation": heard.message_id}
            return True, await self._decide(unit, work, heard.fact, trail=trail)

        known, changed = await stored(self._storage, hear)
        if changed is not None:
            self.go_on(changed)
        return known

    async def cancel(self, order_id: str, reason: str, *, patience: float) -> Order | None:
        """Cancel an order as long as no carrier has it; what was done for it is taken back. Raises ``OrderError``.

        Where there may be a parcel it is withdrawn first. The order that is given isn't cancelled yet when that takes
        more than ``patience`` seconds; it goes on.
        """

        async def ask(unit: UnitOfWork) -> Work | None:
            work = await unit.get(order_id)
            if work is None:
                return None
            cancelled = work.order.cancel(reason, Party.CUSTOMER)
            return await self._decide(unit, work, CancelAsked(cancelled.reason or ""))

        work = await stored(self._storage, ask)
        if work is None:
            return None
        if work.order.status is Status.CANCELLED:
            self.go_on(work)
            return work.order
        driven = await self._errands.run(self.drive(work), patience=patience)
        if driven is not None and not driven.saga.asked:
            raise WrongStateError(f"a carrier has order {order_id} already: it can't be cancelled any more")
        return driven.order if driven else work.order

    async def resolve(self, order_id: str, action: Action, reason: str) -> Work | None:
        """Do with a saga what a person has decided. Raises ``WrongStateError`` when nothing is left to decide."""

        async def resolve(unit: UnitOfWork) -> Work | None:
            work = await unit.get(order_id)
            return None if work is None else await self._decide(unit, work, Resolved(action, reason))

        work = await stored(self._storage, resolve)
        if work is not None:
            self.go_on(work)
        return work

    async def take_up(self, *, limit: int) -> Sequence[Work]:
        """Claim sagas of which something is due and that nobody drives, and drive them."""
        claimed = await self._storage.claim(self.lease(), now=self._clock(), limit=limit)
        for work in claimed:
            self.go_on(work)
        return claimed

    async def note(self, message_id: str) -> bool:
        """Whether a message comes for the first time."""
        async with self._storage.unit() as unit:
            return await unit.first_time(message_id)

    async def stay(self) -> None:
        """Tell that this process is alive: it keeps what it drives or will, and nothing that it has failed at."""
        if held := self._waiting | self._driving:
            await self._storage.renew(self.lease(), held)

    def go_on(self, work: Work) -> None:
        """Drive a saga beside whatever else happens, if it is ours."""
        if self._ours(work):
            self._waiting.add(work.order.id)
            self._errands.start(self.drive(work), correlation=work.saga.trail.get("correlation", work.order.id))

    def _ours(self, work: Work) -> bool:
        return work.lease is not None and work.lease.driver == self._driver

    def _awaits_an_answer(self, work: Work, fact: Fact) -> bool:
        """Whether the call that is under way tells the same: then its answer counts, and nobody reads again."""
        orchestrated = work.saga.type is Flow.ORCHESTRATED and not isinstance(fact, TimeUp | CancelAsked | Resolved)
        called = isinstance(fact, Done | Refused | Undone) and fact.step is not Step.SHIP
        return orchestrated and called and work.lease is not None and work.lease.until > self._clock()

    async def _call(self, order: Order, call: Call) -> Fact:
        try:
            return await (self._undo(order, call.step) if call.undo else self._do(order, call.step))
        except RefusedError as refusal:
            return UndoFailed(call.step, str(refusal)) if call.undo else Refused(call.step, str(refusal))
        except NoAnswerError as error:
            return UndoFailed(call.step, str(error)) if call.undo else Failed(call.step, str(error))

    async def _do(self, order: Order, step: Step) -> Fact:
        if step is Step.PAY:
            return Done(step) if await self._payments.charge(order) else Promised()
        await (self._stock.reserve(order) if step is Step.RESERVE else self._stock.commit(order))
        return Done(step)

    async def _undo(self, order: Order, step: Step) -> Fact:
        if step is Step.SHIP:
            return Undone(step) if await self._parcels.withdraw(order) else TooLate()
        if step is Step.PAY:
            return Undone(step) if await self._payments.refund(order) else UndoFailed(step, "promised, not done yet")
        await self._stock.release(order)
        return Undone(step)

    async def _learn(self, work: Work, fact: Fact) -> Work:
        """Store what a call has told. It is true, whoever drives the saga by now."""
        known: Work | None = work

        async def learn(unit: UnitOfWork) -> Work:
            nonlocal known
            latest, known = known or await unit.get(work.order.id), None
            if latest is None:
                raise WrongStateError(f"order {work.order.id} is gone")
            return await self._decide(unit, latest, fact)

        return await stored(self._storage, learn)

    async def _decide(self, unit: UnitOfWork, work: Work, fact: Fact, *, trail: dict[str, str] | None = None) -> Work:
        now = self._clock()
        decision = decide(work.saga, fact, now, self.policy)
        if trail and decision.saga is not work.saga:
            decision = replace(decision, saga=replace(decision.saga, trail=trail))
        order = _affected(work.order, decision)
        after = Work(order, decision.saga, self._lease_of(work, decision.saga, now))
        after = await unit.save(work, after)
        for effect in decision.effects:
            await self._tell(unit, effect, after, work)
        return after

    def _lease_of(self, work: Work, saga: Saga, now: datetime) -> Lease | None:
        """Who drives on: its driver as long as something is due; we, when something is and nobody does."""
        if due(saga, now) is None:
            return None
        if work.lease is not None and work.lease.until > now:
            return work.lease
        return self.lease()

    async def _tell(self, unit: UnitOfWork, effect: Effect, after: Work, before: Work) -> None:
        if effect is Effect.REQUEST_SHIPMENT:
            await unit.publish(Event.SHIPMENT_REQUESTED, after)
        elif effect is Effect.GIVE_UP:
            await unit.give_up(after)
        elif effect is Effect.ANNOUNCE_CANCELLATION and before.order.status is Status.CANCELLED:
            await unit.publish(Event.CANCELLED, after)


def _affected(order: Order, decision: Decision) -> Order:
    party = Party.CUSTOMER if decision.saga.asked else Party.SHOP
    for effect in decision.effects:
        if effect is Effect.CONFIRM:
            order = order.confirm()
        elif effect is Effect.CANCEL and order.status in (Status.PENDING, Status.CONFIRMED):
            order = order.cancel(decision.saga.reason or "no reason was given", party)
    return order
