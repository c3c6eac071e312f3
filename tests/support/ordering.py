"""Orders, put together by their composition root on whichever storage a test wants, in a shop that obeys the test."""

import asyncio
from collections.abc import Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

from sqlalchemy import delete, select

from chassis.database import Database
from chassis.events import Envelope
from chassis.idempotency import KEYS
from chassis.inbox import INBOX
from chassis.outbox import OUTBOX, SEQUENCES, Outbox
from orders.adapters.memory import MemoryStorage
from orders.adapters.sql import SqlStorage
from orders.adapters.tables import ORDERS, SAGAS
from orders.application.coordinator import Heard
from orders.application.ordering import Trail, Wish
from orders.composition import OrdersSettings, Outside, Parts, compose
from orders.domain.money import Money
from orders.domain.order import Flow, Item, Order
from orders.domain.saga import Done, Policy, Step
from orders.ports.services import NoAnswerError, RefusedError
from orders.ports.storage import Storage

T = TypeVar("T")
U = TypeVar("U")
CLICK = Trail("click-1", "click-1")
ROPES = Wish("ada", [Item("rope-01", 2)])
CHOREOGRAPHED = Wish("ada", [Item("rope-01", 2)], flow=Flow.CHOREOGRAPHED)
RESERVE, PAY, SHIP, CONFIRM = Step


@dataclass
class Clock:
    """A clock that a test moves."""

    time: datetime = datetime(2026, 11, 21, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def forward(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Errands:
    """Errands that a test can wait for, and whose process it can kill."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[Any]] = []

    async def run(self, work: Coroutine[Any, Any, T], *, patience: float) -> T | None:
        task = asyncio.ensure_future(work)
        self.tasks.append(task)
        await asyncio.wait({task}, timeout=patience)
        return task.result() if task.done() and not task.cancelled() else None

    async def both(
        self, one: Coroutine[Any, Any, T], other: Coroutine[Any, Any, U]
    ) -> tuple[T | BaseException, U | BaseException]:
        first, second = await asyncio.gather(one, other, return_exceptions=True)
        return first, second

    def start(self, work: Coroutine[Any, Any, object], *, correlation: str) -> None:
        assert correlation
        self.tasks.append(asyncio.ensure_future(work))

    async def all(self) -> None:
        while pending := [task for task in self.tasks if not task.done()]:
            await asyncio.wait(pending)

    async def killed(self) -> None:
        """What a process that is killed leaves of its work."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@dataclass
class Shop:
    """Catalog, inventory and payments: what was asked of them, and how they answer next time.

    ``says`` is the answer by call: an exception, "later", or an event to wait for. Without one the answer is yes.
    """

    calls: list[str] = field(default_factory=list)
    says: dict[str, Exception | str | asyncio.Event] = field(default_factory=dict)
    _heard: dict[str, asyncio.Event] = field(default_factory=dict)

    async def until(self, call: str) -> None:
        """Wait until it was asked for."""
        async with asyncio.timeout(10):
            await self._heard.setdefault(call, asyncio.Event()).wait()

    def silent(self, *calls: str) -> None:
        for call in calls:
            self.says[call] = NoAnswerError("no answer")

    def refuses(self, call: str, why: str) -> None:
        self.says[call] = RefusedError(why)

    async def of(self, skus: Collection[str]) -> Mapping[str, Money]:
        return {sku: Money(2990, "EUR") for sku in skus if sku.startswith("rope")}

    async def reserve(self, order: Order) -> None:
        await self._asked("reserve")

    async def release(self, order: Order) -> None:
        await self._asked("release")

    async def commit(self, order: Order) -> None:
        await self._asked("commit")

    async def withdraw(self, order: Order) -> bool:
        return await self._asked("withdraw") != "gone"

    async def charge(self, order: Order) -> bool:
        return await self._asked("charge") != "later"

    async def refund(self, order: Order) -> bool:
        return await self._asked("refund") != "later"

    async def _asked(self, call: str) -> str:
        self.calls.append(call)
        self._heard.setdefault(call, asyncio.Event()).set()
        answer = self.says.get(call, "yes")
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            return "yes"
        return answer


class Ground(Protocol):
    """A storage that tests share, and what it was told."""

    @property
    def storage(self) -> Storage: ...

    async def told(self) -> list[str]:
        """The types of the events that were stored, in their order."""


class MemoryGround:
    """The memory of the process."""

    def __init__(self, clock: Clock) -> None:
        self.storage = MemoryStorage(clock=clock)

    async def told(self) -> list[str]:
        return [event.value for event, _ in self.storage.tables.told] + ["SagaStuck"] * len(self.storage.tables.dead)


class SqlGround:
    """A database, emptied for each test."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.storage = SqlStorage(database, Outbox(), clock=clock)

    async def told(self) -> list[str]:
        return [envelope.event_type for envelope in await self.events()]

    async def events(self) -> list[Envelope]:
        async with self.database.transaction() as session:
            messages = await session.scalars(select(OUTBOX.c.message).order_by(OUTBOX.c.position))
            return [Envelope.from_bytes(message.encode()) for message in messages]

    async def emptied(self) -> "SqlGround":
        async with self.database.transaction() as session:
            for table in (SAGAS, ORDERS, OUTBOX, SEQUENCES, INBOX, KEYS):
                await session.execute(delete(table))
        return self


class Pod:
    """One process of orders."""

    def __init__(self, ground: Ground, shop: Shop, clock: Clock, *, patience: float = 5.0) -> None:
        self.errands = Errands()
        self.clock = clock
        settings = OrdersSettings(checkout_patience=f"{patience * 1000:.0f}ms", gold_customers=("midas",))
        self.parts: Parts = compose(
            settings,
            storage=ground.storage,
            outside=Outside(prices=shop, stock=shop, payments=shop, parcels=shop),
            errands=self.errands,
            policy=Policy(),
            clock=clock,
        )
        self.ordering, self.coordinator = self.parts.ordering, self.parts.coordinator

    async def look(self) -> int:
        """Take up what nobody drives, and bring it as far as it goes; how many that were."""
        taken = await self.coordinator.take_up(limit=50)
        await self.errands.all()
        return len(taken)

    async def settle(self, order_id: str) -> None:
        """Let time pass until nothing is due about an order any more."""
        for _ in range(30):
            saga = await self.ordering.saga(order_id)
            if saga is None or saga.due_at is None:
                return
            self.clock.time = max(self.clock.time, saga.due_at) + timedelta(seconds=11)
            await self.look()


async def state(pod: Pod, order: Order) -> tuple[str, str]:
    """Where an order and its saga are."""
    found, saga = await pod.ordering.find(order.id), await pod.ordering.saga(order.id)
    assert found is not None
    assert saga is not None
    return found.status.value, saga.status.value


async def confirmed(pod: Pod) -> Order:
    """An order that is paid, and whose parcel is booked."""
    order = await pod.ordering.place(ROPES, key=None, trail=CLICK)
    assert await pod.coordinator.hear(order.id, Heard(f"booked-{order.id}", Done(SHIP)))
    await pod.errands.all()
    assert await state(pod, order) == ("confirmed", "completed")
    return order
