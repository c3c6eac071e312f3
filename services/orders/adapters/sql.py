"""Orders and sagas in a database: Postgres in the cluster, SQLite where the service runs alone.

A change is an UPDATE that names the version it was decided on: when that isn't there any more, no row is hit and the
unit ends with ``StaleError``. Nothing is locked while somebody thinks. Statements of an order's way are built once:
that takes SQLAlchemy longer than to run them.
"""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import RowMapping, Select, Table, bindparam, func, insert, select, update

from chassis.database import Database, Session, insert_if_absent
from chassis.idempotency import Answer as KeptAnswer
from chassis.idempotency import IdempotencyKeys, KeyReused
from chassis.inbox import INBOX, Inbox
from chassis.outbox import Outbox
from orders.adapters import telling
from orders.adapters.tables import ORDERS, SAGAS, order_of, row_of, saga_of, saga_row
from orders.domain.order import Event, Order, Status
from orders.domain.saga import ENDED, Saga, SagaStatus
from orders.ports.storage import Answer, KeyReusedError, Lease, Reading, SecondOrderError, StaleError, UnitOfWork, Work

_SCOPE: Final = "orders"
_CONSUMER: Final = "orders"
_BOTH: Final = select(
    *(column.label(f"o_{column.name}") for column in ORDERS.c),
    *(column.label(f"s_{column.name}") for column in SAGAS.c),
).join(SAGAS, SAGAS.c.id == ORDERS.c.id)
_ORDER, _SAGA = (select(table).where(table.c.id == bindparam("wanted")) for table in (ORDERS, SAGAS))
_WORK: Final = _BOTH.where(ORDERS.c.id == bindparam("wanted"))
_ADD_ORDER, _ADD_SAGA = insert(ORDERS), insert(SAGAS)
_SWAP: Final = {
    table: update(table)
    .where(table.c.id == bindparam("wanted"), table.c.version == bindparam("decided_on"))
    .returning(table.c.id)
    for table in (ORDERS, SAGAS)
}


class _Unit:
    """One transaction."""

    def __init__(self, session: Session, outbox: Outbox, clock: Callable[[], datetime]) -> None:
        self._session = session
        self._outbox = outbox
        self._keys = IdempotencyKeys()
        self._clock = clock
        self._only: str | None = None

    async def add(self, work: Work) -> Work:
        self._bind(work)
        order, saga = replace(work.order, version=1, news=()), replace(work.saga, version=1)
        await self._session.execute(_ADD_ORDER, {**row_of(order), "updated_at": self._clock()})
        await self._session.execute(_ADD_SAGA, {**saga_row(saga), **_lease_row(work.lease)})
        return await self._told(work.order.news, Work(order, saga, work.lease))

    async def get(self, order_id: str) -> Work | None:
        row = (await self._session.execute(_WORK, {"wanted": order_id})).mappings().first()
        return _work_of(row) if row else None

    async def save(self, before: Work, after: Work) -> Work:
        if after == before:
            return after
        self._bind(after)
        order, saga = after.order, after.saga
        if order != before.order:
            order = replace(order, version=order.version + 1, news=())
            values = {**row_of(order), "updated_at": self._clock()}
            await self._swap(ORDERS, values, before.order.version)
        if (saga, after.lease) != (before.saga, before.lease):
            saga = replace(saga, version=saga.version + 1)
            await self._swap(SAGAS, {**saga_row(saga), **_lease_row(after.lease)}, before.saga.version)
        return await self._told(after.order.news, Work(order, saga, after.lease))

    async def publish(self, event: Event, work: Work) -> None:
        await self._outbox.add(self._session, telling.envelope(event, work), aggregate_id=work.order.id)

    async def give_up(self, work: Work) -> None:
        await self._outbox.add(self._session, telling.stuck(work), aggregate_id=work.order.id)

    async def first_time(self, message_id: str) -> bool:
        return await insert_if_absent(
            self._session, INBOX, consumer=_CONSUMER, event_id=message_id, handled_at=self._clock()
        )

    async def answer(self, key: str, request: object) -> Answer | None:
        try:
            kept = await self._keys.find(self._session, key, scope=_SCOPE, request=request)
        except KeyReused as error:
            raise KeyReusedError from error
        return Answer(kept.body["orderId"], Status(kept.body["status"]), kept.body["reason"]) if kept else None

    async def keep(self, key: str, request: object, answer: Answer) -> bool:
        try:
            known = await self._keys.claim(self._session, key, scope=_SCOPE, request=request, answer=_kept(answer))
        except KeyReused as error:
            raise KeyReusedError from error
        return known is None

    async def correct(self, key: str, answer: Answer) -> None:
        await self._keys.keep(self._session, key, scope=_SCOPE, answer=_kept(answer))

    async def _told(self, news: tuple[Event, ...], work: Work) -> Work:
        for event in news:
            await self.publish(event, work)
        return work

    async def _swap(self, table: Table, values: dict[str, Any], version: int) -> None:
        there = {"wanted": values["id"], "decided_on": version}
        hit = await self._session.execute(_SWAP[table], {**values, **there})
        if hit.first() is None:
            raise StaleError(f"{table.name} {values['id']} has changed since version {version}")

    def _bind(self, work: Work) -> None:
        if self._only not in (None, work.order.id):
            raise SecondOrderError(f"this unit is about order {self._only}, not {work.order.id}")
        self._only = work.order.id


class _Reading:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def order(self, order_id: str) -> Order | None:
        found = await self._rows(_ORDER, wanted=order_id)
        return order_of(found[0]) if found else None

    async def orders(self, customer: str, *, limit: int, after: str | None) -> Sequence[Order]:
        wanted = select(ORDERS).where(ORDERS.c.customer == customer).order_by(ORDERS.c.id.desc()).limit(limit)
        return [order_of(row) for row in await self._rows(wanted.where(ORDERS.c.id < after) if after else wanted)]

    async def saga(self, order_id: str) -> Saga | None:
        found = await self._rows(_SAGA, wanted=order_id)
        return saga_of(found[0]) if found else None

    async def sagas(self, statuses: Sequence[SagaStatus], *, limit: int, after: str | None) -> Sequence[Saga]:
        wanted = select(SAGAS).where(SAGAS.c.status.in_(statuses)).order_by(SAGAS.c.id.desc()).limit(limit)
        return [saga_of(row) for row in await self._rows(wanted.where(SAGAS.c.id < after) if after else wanted)]

    async def unended(self) -> dict[SagaStatus, int]:
        unended = [status for status in SagaStatus if status not in ENDED]
        counted = select(SAGAS.c.status, func.count().label("count")).where(SAGAS.c.status.in_(unended))
        counts = {SagaStatus(row["status"]): row["count"] for row in await self._rows(counted.group_by(SAGAS.c.status))}
        return {status: counts.get(status, 0) for status in unended}

    async def _rows(self, statement: Select[Any], **values: str) -> Sequence[RowMapping]:
        async with self._database.transaction() as session:
            found: Sequence[RowMapping] = (await session.execute(statement, values)).mappings().all()
            return found


class SqlStorage:
    """Units of work as transactions of a database."""

    def __init__(self, database: Database, outbox: Outbox, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._outbox = outbox
        self._clock = clock
        self._inbox, self._keys = Inbox(), IdempotencyKeys()

    @property
    def reading(self) -> Reading:
        """For looking."""
        return _Reading(self._database)

    def unit(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A transaction."""
        return self._unit()

    @asynccontextmanager
    async def _unit(self) -> AsyncIterator[UnitOfWork]:
        async with self._database.transaction() as session:
            yield _Unit(session, self._outbox, self._clock)

    async def claim(self, lease: Lease, *, now: datetime, limit: int) -> Sequence[Work]:
        """Take sagas over, each by one process only: who comes second skips what the first is taking."""
        free = SAGAS.c.driven_until.is_(None) | (SAGAS.c.driven_until <= now)
        overdue = select(SAGAS.c.id).where(SAGAS.c.due_at <= now, free).order_by(SAGAS.c.due_at).limit(limit)
        async with self._database.transaction() as session:
            ids = (await session.scalars(overdue.with_for_update(skip_locked=True))).all()
            if not ids:
                return []
            taken = update(SAGAS).where(SAGAS.c.id.in_(ids))
            await session.execute(taken.values(version=SAGAS.c.version + 1, **_lease_row(lease)))
            return [_work_of(row) for row in (await session.execute(_BOTH.where(SAGAS.c.id.in_(ids)))).mappings()]

    async def renew(self, lease: Lease, order_ids: Collection[str]) -> None:
        """Prolong the leases that a driver has of these sagas."""
        held = update(SAGAS).where(SAGAS.c.driver == lease.driver, SAGAS.c.id.in_(order_ids))
        async with self._database.transaction() as session:
            await session.execute(held.values(driven_until=lease.until))

    async def forget(self, before: datetime) -> int:
        """Forget messages and idempotency keys that came before a moment."""
        async with self._database.transaction() as session:
            return await self._inbox.forget(session, self._clock()) + await self._keys.forget(session, before)


def _work_of(row: RowMapping) -> Work:
    lease = Lease(row["s_driver"], row["s_driven_until"]) if row["s_driver"] else None
    return Work(order_of(row, "o_"), saga_of(row, "s_"), lease)


def _kept(answer: Answer) -> KeptAnswer:
    return KeptAnswer(201, {"orderId": answer.order_id, "status": answer.status, "reason": answer.reason})


def _lease_row(lease: Lease | None) -> dict[str, Any]:
    return {"driver": lease and lease.driver, "driven_until": lease and lease.until}
