"""Placing orders and looking at them, whoever drives it: a request, a command line, a message."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from orders.application.coordinator import Coordinator, Heard
from orders.application.storing import stored
from orders.domain.address import Address
from orders.domain.decide import begin
from orders.domain.discounts import Discounts
from orders.domain.money import Money
from orders.domain.order import Flow, Item, Order, Party, Status, merged
from orders.domain.saga import Done, Saga, SagaStatus, Step
from orders.ports.services import Errands, Prices, Tiers
from orders.ports.storage import Answer, Storage, UnitOfWork, Work


class TooEarlyError(Exception):
    """A message tells of something that can't have happened yet, as far as we know: it has overtaken another one."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to order. ``flow`` None: as the shop is set."""

    customer: str
    items: Sequence[Item]
    address: Address | None = None
    flow: Flow | None = None

    @property
    def content(self) -> object:
        """As JSON: the same for the same wish."""
        address = asdict(self.address) if self.address else None
        return [self.customer, [[item.sku, item.quantity] for item in self.items], address, self.flow]


@dataclass(frozen=True, slots=True)
class Trail:
    """What events that follow name as their correlation and cause."""

    correlation: str
    causation: str


@dataclass(frozen=True, slots=True)
class Habits:
    """How the shop takes orders: by which flow, and how many seconds a checkout waits for stock and payment.

    ``memory`` is how long messages and idempotency keys are known again.
    """

    flow: Flow
    patience: float
    memory: timedelta


class Ordering:
    """What one can do with orders."""

    def __init__(  # noqa: PLR0913 - what it is made of
        self,
        *,
        storage: Storage,
        prices: Prices,
        tiers: Tiers,
        discounts: Discounts,
        coordinator: Coordinator,
        errands: Errands,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        habits: Habits,
    ) -> None:
        self._storage = storage
        self._prices = prices
        self._tiers = tiers
        self._discounts = discounts
        self._coordinator = coordinator
        self._errands = errands
        self._clock = clock
        self._new_id = new_id
        self._habits = habits

    async def place(self, wish: Wish, *, key: str | None, trail: Trail) -> Order:
        """Place an order at the prices of now, and wait a little for stock and payment.

        With a key it is safe to repeat: the order is the same, told as it was the first time. Raises ``OrderError``.
        """
        # Most keys are new, so nobody waits to ask for prices until that is known.
        before, prices = await self._errands.both(self._answered(key, wish), self._prices.of(merged(wish.items).keys()))
        if isinstance(before, BaseException):
            raise before
        if before is not None:
            return before
        if isinstance(prices, BaseException):
            raise prices
        order = await self._made(wish, prices)
        saga = begin(order.id, order.flow, order.placed_at, self._coordinator.policy)
        saga = replace(saga, trail={"correlation": trail.correlation, "causation": trail.causation})
        lease = self._coordinator.lease() if order.flow is Flow.ORCHESTRATED else None
        work = await self._store(Work(order, saga, lease), wish, key)
        if work is None:
            return await self._answered(key, wish) or order
        driven = await self._errands.run(self._coordinator.drive(work), patience=self._habits.patience)
        told = driven.order if driven else work.order
        if key is not None and told.status is not Status.PENDING:
            async with self._storage.unit() as unit:
                await unit.correct(key, Answer(order.id, told.status, told.reason))
        return told

    async def find(self, order_id: str) -> Order | None:
        """An order by its id."""
        return await self._storage.reading.order(order_id)

    async def orders_of(self, customer: str, *, limit: int, after: str | None = None) -> Sequence[Order]:
        """At most ``limit`` orders of a customer, the latest first, on from the order ``after``."""
        return await self._storage.reading.orders(customer, limit=limit, after=after)

    async def saga(self, order_id: str) -> Saga | None:
        """The saga of an order."""
        return await self._storage.reading.saga(order_id)

    async def sagas(self, statuses: Sequence[SagaStatus], *, limit: int, after: str | None = None) -> Sequence[Saga]:
        """At most ``limit`` sagas in one of these states, the latest first."""
        return await self._storage.reading.sagas(statuses, limit=limit, after=after)

    async def unended(self) -> dict[SagaStatus, int]:
        """How many sagas aren't at their end, by status."""
        return await self._storage.reading.unended()

    async def forget(self) -> int:
        """Forget messages and idempotency keys that nobody sends again any more, and give how many."""
        return await self._storage.forget(self._clock() - self._habits.memory)

    async def collected(self, order_id: str, message_id: str) -> None:
        """A carrier has the order. Raises ``TooEarlyError`` while it isn't confirmed."""
        await self._travels(order_id, message_id, Status.SHIPPED)

    async def delivered(self, order_id: str, message_id: str) -> None:
        """The customer has the order, and so a carrier had it. Raises ``TooEarlyError`` while it isn't confirmed."""
        await self._travels(order_id, message_id, Status.DELIVERED)

    async def _made(self, wish: Wish, prices: Mapping[str, Money]) -> Order:
        order = Order.place(
            id=self._new_id(),
            customer=wish.customer,
            items=wish.items,
            prices=prices,
            address=wish.address,
            flow=wish.flow or self._habits.flow,
            now=self._clock(),
        )
        return order.granted(self._discounts.best(order, await self._tiers.of(wish.customer)))

    async def _store(self, work: Work, wish: Wish, key: str | None) -> Work | None:
        """Store a new order, or None where the key has one already."""
        async with self._storage.unit() as unit:
            if key is not None and not await unit.keep(key, wish.content, Answer(work.order.id)):
                return None
            return await unit.add(work)

    async def _answered(self, key: str | None, wish: Wish) -> Order | None:
        if key is None:
            return None
        async with self._storage.unit() as unit:
            answer = await unit.answer(key, wish.content)
            work = await unit.get(answer.order_id) if answer else None
        if answer is None or work is None:
            return None
        party = Party.SHOP if answer.status is Status.CANCELLED else None
        return replace(work.order, status=answer.status, reason=answer.reason, cancelled_by=party)

    async def _travels(self, order_id: str, message_id: str, status: Status) -> None:
        async def travel(unit: UnitOfWork) -> Status | None:
            """Let it go on. What is given is how an order stands of which nobody here knows that it has a parcel."""
            work = await unit.get(order_id)
            if work is None:
                return None
            if work.order.status in (Status.PENDING, Status.CANCELLED):
                return work.order.status
            if await unit.first_time(message_id):
                saga = replace(work.saga, trail={**work.saga.trail, "causation": message_id})
                await unit.save(work, replace(work, order=_moved(work.order, status), saga=saga))
            return None

        if await stored(self._storage, travel) is not None:
            # Whoever carries it has booked it: that message may come later than this one.
            await self._coordinator.hear(order_id, Heard(f"{message_id}/booked", Done(Step.SHIP)))
            if await stored(self._storage, travel) is Status.PENDING:
                raise TooEarlyError(f"order {order_id} isn't confirmed yet")


def _moved(order: Order, status: Status) -> Order:
    if order.status is Status.CONFIRMED:
        order = order.ship()
    if order.status is Status.SHIPPED and status is Status.DELIVERED:
        order = order.deliver()
    return order
