"""Streams of events: added at their end, in one transaction with whatever else belongs to it, and never changed.

A writer who has decided on what it read says which version that was, and is refused when the stream has grown since. A
stream on which nobody decides takes what it is given. Either way writers take turns at the streams' heads, always in
one order, so that they can't wait for one another in a circle. Within a stream time never runs backwards, and what is
appended together carries one time: so any moment cuts the whole ledger between two transactions.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from payments.domain.events import Event, read
from payments.store.tables import events, streams


class ConflictError(Exception):
    """Somebody else has written to the stream since it was read: read it again and decide anew."""


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


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a stream."""

    version: int
    recorded_at: datetime


async def lock(session: AsyncSession, names: Iterable[str], *, at: datetime) -> dict[str, Head]:
    """The heads of streams, which are ours until the transaction ends. A stream that isn't there begins empty."""
    ordered = sorted(names)
    heads = await _lock(session, ordered)
    if missing := [name for name in ordered if name not in heads]:
        dialect = session.get_bind().dialect.name
        new = postgresql.insert(streams) if dialect == "postgresql" else sqlite.insert(streams)
        rows = [{"id": name, "version": 0, "recorded_at": at} for name in missing]
        await session.execute(new.values(rows).on_conflict_do_nothing())
        heads |= await _lock(session, missing)
    return heads


async def _lock(session: AsyncSession, names: Sequence[str]) -> dict[str, Head]:
    query = select(streams).where(streams.c.id.in_(names)).order_by(streams.c.id).with_for_update()
    found = (await session.execute(query)).mappings()
    return {row["id"]: Head(row["version"], row["recorded_at"]) for row in found}


async def append(session: AsyncSession, heads: Mapping[str, Head], *appends: Append, at: datetime) -> datetime:
    """Add events to streams that are locked, all or nothing, and give the time under which they are recorded.

    That is ``at``, or the time of the last event of one of the streams where that is later. Raises ``ConflictError``.
    """
    for one in appends:
        found = heads[one.stream].version
        if one.expected is not None and one.expected != found:
            raise ConflictError(f"{one.stream} is at version {found}, not {one.expected}")
    at = max(at, *(heads[one.stream].recorded_at for one in appends))
    rows = [row for one in appends for row in _rows(one, heads[one.stream].version, at)]
    await session.execute(insert(events), rows)
    grown = [{"stream": one.stream, "grown": heads[one.stream].version + len(one.events), "at": at} for one in appends]
    change = update(streams).where(streams.c.id == bindparam("stream"))
    connection = await session.connection()
    await connection.execute(change.values(version=bindparam("grown"), recorded_at=bindparam("at")), grown)
    return at


async def load(
    session: AsyncSession, stream: str, *, after: int = 0, until: datetime | None = None, since: datetime | None = None
) -> list[Recorded]:
    """Events of a stream behind a version, those recorded up to ``until`` and from ``since`` on, in their order."""
    query = select(events).where(events.c.stream == stream, events.c.version > after).order_by(events.c.version)
    if until is not None:
        query = query.where(events.c.recorded_at <= until)
    if since is not None:
        query = query.where(events.c.recorded_at >= since)
    return [_recorded(row) for row in (await session.execute(query)).mappings()]


async def scan(session: AsyncSession, prefix: str) -> AsyncIterator[Recorded]:
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
