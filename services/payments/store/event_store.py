"""Streams of events: added at their end, in one transaction with whatever else belongs to it, and never changed.

A writer who has decided on what it read says which version that was, and is refused when the stream has grown since. A
stream on which nobody decides takes what it is given. Either way writers take turns at the streams' heads, always in
one order, so that they can't wait for one another in a circle. Within a stream time never runs backwards, and what is
appended together carries one time: so any moment cuts the whole ledger between two transactions.

A head that everybody writes to is locked for two statements and the commit: the one that makes it grow, and the events.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import BigInteger, RowMapping, Select, Text, bindparam, case, func, insert, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from chassis.database import Session, Timestamp, insert_into
from payments.domain.events import Event, read
from payments.store.tables import events, streams

_ADD: Final = insert(events)


class ConflictError(Exception):
    """Somebody else has written to the stream since it was read: end the transaction, read it again, decide anew."""


@dataclass(frozen=True, slots=True)
class Append:
    """Events for a stream, which must have the version ``expected`` if one is given."""

    stream: str
    events: Sequence[Event]
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event in its place."""

    stream: str
    version: int
    event: Event
    recorded_at: datetime


async def begin(session: Session, stream: str, happened: Sequence[Event], *, at: datetime) -> None:
    """Begin a stream with its first events. Raises ``ConflictError`` where somebody has begun it."""
    if not await _begin(session, [stream], version=len(happened), at=at):
        raise ConflictError(f"{stream} has been begun")
    await session.execute(_ADD, _rows(Append(stream, happened), 0, at))


async def lock(session: Session, names: Iterable[str], *, at: datetime) -> dict[str, int]:
    """The versions of streams, which are ours until the transaction ends. A stream that isn't there begins empty."""
    ordered = sorted(names)
    heads = await _lock(session, ordered)
    if missing := [name for name in ordered if name not in heads]:
        heads |= dict.fromkeys(await _begin(session, missing, version=0, at=at), 0)
        heads |= await _lock(session, [name for name in missing if name not in heads])
    return heads


async def append(session: Session, *appends: Append, at: datetime) -> datetime:
    """Add events to streams, all or nothing, and give the time under which they are recorded.

    That is ``at``, or the time of the last event of one of the streams where that is later. A stream that isn't there
    begins. Raises ``ConflictError``.
    """
    growth = {one.stream: len(one.events) for one in appends}
    while not (grown := await _grow(session, growth, at)):
        await _begin(session, sorted(growth), version=0, at=at)
    rows = []
    for one in appends:
        version, at = grown[one.stream]
        before = version - len(one.events)
        if one.expected is not None and one.expected != before:
            raise ConflictError(f"{one.stream} is at version {before}, not {one.expected}")
        rows += _rows(one, before, at)
    await session.execute(_ADD, rows)
    return at


async def _begin(session: Session, names: Sequence[str], *, version: int, at: datetime) -> Collection[str]:
    """Those of the streams that weren't there: they are now, and ours."""
    new = insert_into(streams, session.dialect.name)
    rows = [{"id": name, "version": version, "recorded_at": at} for name in names]
    begun = await session.scalars(new.values(rows).on_conflict_do_nothing().returning(streams.c.id))
    return begun.all()


async def _lock(session: Session, names: Sequence[str]) -> dict[str, int]:
    if not names:
        return {}
    query = select(streams).where(streams.c.id.in_(names)).order_by(streams.c.id).with_for_update()
    return {row["id"]: row["version"] for row in (await session.execute(query)).mappings()}


async def _grow(session: Session, growth: Mapping[str, int], at: datetime) -> dict[str, tuple[int, datetime]]:
    """Make streams longer by so many events: their versions then, and their one time. Nothing unless all are there."""
    told: dict[str, object] = {"at": at}
    for number, name in enumerate(sorted(growth)):
        told |= {f"name{number}": name, f"by{number}": growth[name]}
    grown = await session.execute(_longer(len(growth)), told)
    return {name: (version, moment) for name, version, moment in grown}


@cache
def _longer(count: int) -> ReturningUpdate[str, int, datetime]:
    """Makes so many streams longer. Built once for each number: that takes longer than to run it."""
    names = [bindparam(f"name{number}", type_=Text) for number in range(count)]
    growth = [bindparam(f"by{number}", type_=BigInteger) for number in range(count)]
    at = bindparam("at", type_=Timestamp)
    head = select(streams.c.id, streams.c.recorded_at).where(streams.c.id.in_(names))
    locked = head.order_by(streams.c.id).with_for_update().cte("locked")
    found = select(func.count()).select_from(locked).scalar_subquery()
    last = select(func.max(locked.c.recorded_at)).scalar_subquery()
    longer = case(*((streams.c.id == name, by) for name, by in zip(names, growth, strict=True)))
    return (
        update(streams)
        .where(streams.c.id.in_(names), found == count)
        .values(version=streams.c.version + longer, recorded_at=case((last > at, last), else_=at))
        .returning(streams.c.id, streams.c.version, streams.c.recorded_at)
    )


async def load(
    session: Session, stream: str, *, after: int = 0, until: datetime | None = None, since: datetime | None = None
) -> list[Recorded]:
    """Events of a stream behind a version, those recorded up to ``until`` and from ``since`` on, in their order."""
    query = select(events).where(events.c.stream == stream, events.c.version > after).order_by(events.c.version)
    if until is not None:
        query = query.where(events.c.recorded_at <= until)
    if since is not None:
        query = query.where(events.c.recorded_at >= since)
    return await chosen(session, query)


async def chosen(session: Session, query: Select[Any]) -> list[Recorded]:
    """Events that a query of their table finds."""
    return [_recorded(row) for row in (await session.execute(query)).mappings()]


async def scan(session: Session, prefix: str) -> AsyncIterator[Recorded]:
    """Every event of the streams whose names begin so, stream by stream. Takes its time and little memory."""
    chosen = select(events).where(events.c.stream.startswith(prefix, autoescape=True))
    found = await session.stream(chosen.order_by(events.c.stream, events.c.version))
    async for row in found.mappings():
        yield _recorded(row)


def _rows(one: Append, version: int, at: datetime) -> list[dict[str, object]]:
    return [
        {
            "stream": one.stream,
            "version": version + count,
            "type": event.TYPE,
            "schema": event.SCHEMA,
            "data": event.data(),
            "recorded_at": at,
        }
        for count, event in enumerate(one.events, start=1)
    ]


def _recorded(row: RowMapping) -> Recorded:
    event = read(row["type"], row["schema"], row["data"])
    return Recorded(row["stream"], row["version"], event, row["recorded_at"])
