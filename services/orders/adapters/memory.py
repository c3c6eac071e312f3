"""Orders and sagas in the memory of one process: for tests, and for a service that is tried without a database.

It keeps the promises of the port, versions and all: a unit works on what it has read, and is stored at its end or not
at all. What it can't do is outlive its process, or be shared with another one.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from orders.domain.order import Event, Order
from orders.domain.saga import ENDED, Saga, SagaStatus
from orders.ports.storage import Answer, KeyReusedError, Lease, Reading, SecondOrderError, StaleError, UnitOfWork, Work


@dataclass(frozen=True)
class _Kept:
    """An answer, to which request, and since when."""

    request: object
    answer: Answer
    at: datetime


@dataclass
class _Tables:
    """All that is stored. ``told`` holds the events in their order, ``dead`` what was given up."""

    works: dict[str, Work] = field(default_factory=dict)
    answers: dict[str, _Kept] = field(default_factory=dict)
    heard: dict[str, datetime] = field(default_factory=dict)
    told: list[tuple[Event, Work]] = field(default_factory=list)
    dead: list[Work] = field(default_factory=list)

    def copy(self) -> "_Tables":
        return _Tables(dict(self.works), dict(self.answers), dict(self.heard), list(self.told), list(self.dead))


class _Unit:
    """Works on a copy, which takes the place of the original at the end."""

    def __init__(self, tables: _Tables, now: datetime) -> None:
        self.tables = tables
        self._now = now
        self._only: str | None = None

    async def add(self, work: Work) -> Work:
        self._bind(work)
        if work.order.id in self.tables.works:
            raise StaleError(f"order {work.order.id} was placed before")
        return await self._store(work)

    async def get(self, order_id: str) -> Work | None:
        return self.tables.works.get(order_id)

    async def save(self, before: Work, after: Work) -> Work:
        if after == before and not after.order.news:
            return after
        self._bind(after)
        stored = self.tables.works.get(before.order.id)
        if stored is None or (stored.order.version, stored.saga.version) != (before.order.version, before.saga.version):
            raise StaleError(f"order {before.order.id} has changed")
        return await self._store(after)

    async def publish(self, event: Event, work: Work) -> None:
        self.tables.told.append((event, work))

    async def give_up(self, work: Work) -> None:
        self.tables.dead.append(work)

    async def first_time(self, message_id: str) -> bool:
        first = message_id not in self.tables.heard
        self.tables.heard.setdefault(message_id, self._now)
        return first

    async def answer(self, key: str, request: object) -> Answer | None:
        kept = self.tables.answers.get(key)
        if kept is not None and kept.request != request:
            raise KeyReusedError
        return kept.answer if kept else None

    async def keep(self, key: str, request: object, answer: Answer) -> bool:
        if await self.answer(key, request) is not None:
            return False
        self.tables.answers[key] = _Kept(request, answer, self._now)
        return True

    async def correct(self, key: str, answer: Answer) -> None:
        self.tables.answers[key] = replace(self.tables.answers[key], answer=answer)

    def _bind(self, work: Work) -> None:
        if self._only not in (None, work.order.id):
            raise SecondOrderError(f"this unit is about order {self._only}, not {work.order.id}")
        self._only = work.order.id

    async def _store(self, work: Work) -> Work:
        order = replace(work.order, version=work.order.version + 1, news=())
        stored = Work(order, replace(work.saga, version=work.saga.version + 1), work.lease)
        self.tables.works[order.id] = stored
        for event in work.order.news:
            await self.publish(event, stored)
        return stored


class _Reading:
    def __init__(self, storage: "MemoryStorage") -> None:
        self._storage = storage

    async def order(self, order_id: str) -> Order | None:
        work = self._works.get(order_id)
        return work.order if work else None

    async def orders(self, customer: str, *, limit: int, after: str | None) -> Sequence[Order]:
        found = (work.order for key, work in self._latest if after is None or key < after)
        return [order for order in found if order.customer == customer][:limit]

    async def saga(self, order_id: str) -> Saga | None:
        work = self._works.get(order_id)
        return work.saga if work else None

    async def sagas(self, statuses: Sequence[SagaStatus], *, limit: int, after: str | None) -> Sequence[Saga]:
        found = (work.saga for key, work in self._latest if after is None or key < after)
        return [saga for saga in found if saga.status in statuses][:limit]

    async def unended(self) -> dict[SagaStatus, int]:
        statuses = [work.saga.status for work in self._works.values()]
        return {status: statuses.count(status) for status in SagaStatus if status not in ENDED}

    @property
    def _works(self) -> dict[str, Work]:
        return self._storage.tables.works

    @property
    def _latest(self) -> list[tuple[str, Work]]:
        return sorted(self._works.items(), reverse=True)


class MemoryStorage:
    """Units one after the other: what runs alone needs no version to be right, and checks it nevertheless."""

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self.tables = _Tables()
        self._clock = clock
        self._turn = asyncio.Lock()

    @property
    def reading(self) -> Reading:
        """For looking."""
        return _Reading(self)

    def unit(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A transaction."""
        return self._unit()

    @asynccontextmanager
    async def _unit(self) -> AsyncIterator[UnitOfWork]:
        async with self._turn:
            unit = _Unit(self.tables.copy(), self._clock())
            yield unit
            self.tables = unit.tables

    async def claim(self, lease: Lease, *, now: datetime, limit: int) -> Sequence[Work]:
        """Take sagas over that nobody drives."""
        claimed: list[Work] = []
        async with self._turn:
            for key, work in self.tables.works.items():
                free = work.lease is None or work.lease.until <= now
                if len(claimed) < limit and free and work.saga.due_at is not None and work.saga.due_at <= now:
                    saga = replace(work.saga, version=work.saga.version + 1)
                    claimed.append(Work(work.order, saga, lease))
                    self.tables.works[key] = claimed[-1]
        return claimed

    async def renew(self, lease: Lease, order_ids: Collection[str]) -> None:
        """Prolong the leases that a driver has of these sagas."""
        async with self._turn:
            for key, work in self.tables.works.items():
                if key in order_ids and work.lease is not None and work.lease.driver == lease.driver:
                    self.tables.works[key] = replace(work, lease=lease)

    async def forget(self, before: datetime) -> int:
        """Forget messages and idempotency keys that came before a moment."""
        async with self._turn:
            heard = {message for message, at in self.tables.heard.items() if at < before}
            keys = {key for key, kept in self.tables.answers.items() if kept.at < before}
            for message in heard:
                del self.tables.heard[message]
            for key in keys:
                del self.tables.answers[key]
        return len(heard) + len(keys)
