"""Accounts and charges as their events add up to them; where there is a snapshot, from there on.

This is where every decision gets its balances from. The projection beside it is for lists.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select

from chassis.database import Session, insert_if_absent
from payments.domain import account as accounts
from payments.domain import charge as charges
from payments.domain.account import Account
from payments.domain.charge import Charge
from payments.domain.entries import customer_account
from payments.domain.events import Posted
from payments.store import event_store
from payments.store.tables import snapshots, streams

SNAPSHOT_EVERY: Final = 100
"""Events after which reading a stream from its start isn't worth it any more."""


async def account(session: Session, name: str, *, at: datetime | None = None) -> Account:
    """An account now, or as it was at a time."""
    stream = accounts.stream_of(name)
    query = (
        select(snapshots)
        .where(snapshots.c.stream == stream, snapshots.c.schema == accounts.STATE_SCHEMA)
        .order_by(snapshots.c.version.desc())
        .limit(1)
    )
    if at is not None:
        query = query.where(snapshots.c.recorded_at <= at)
    kept = (await session.execute(query)).mappings().first()
    known = Account.restored(name, kept["version"], kept["state"]) if kept else Account(name)
    tail = await event_store.load(session, stream, after=known.version, until=at)
    return known.after(recorded.event for recorded in tail)


async def charge(session: Session, order: str) -> Charge:
    """The charge for an order, which has status ``none`` where there is none."""
    told = await event_store.load(session, charges.stream_of(order))
    return Charge(order).after(recorded.event for recorded in told)


async def sales_since(session: Session, customer: str, *, now: datetime) -> tuple[int, int, bool]:
    """How many charges of a customer were accepted within an hour, within a day, and whether there was none ever."""
    stream = accounts.stream_of(customer_account(customer))
    day = await event_store.load(session, stream, since=now - timedelta(days=1))
    sales = [one.recorded_at for one in day if isinstance(one.event, Posted) and one.event.kind == "sale"]
    head = select(streams.c.version).where(streams.c.id == stream)
    begun = await session.scalar(head)
    return sum(at >= now - timedelta(hours=1) for at in sales), len(sales), not begun


async def take_snapshots(session: Session, *, limit: int = 50) -> int:
    """Snapshots of accounts that have grown long since their last one; how many were taken."""
    last = select(snapshots.c.stream, func.max(snapshots.c.version).label("version"))
    last_by_stream = last.where(snapshots.c.schema == accounts.STATE_SCHEMA).group_by(snapshots.c.stream).subquery()
    long = (
        select(streams.c.id)
        .outerjoin(last_by_stream, last_by_stream.c.stream == streams.c.id)
        .where(
            streams.c.id.startswith(accounts.PREFIX),
            streams.c.version - func.coalesce(last_by_stream.c.version, 0) >= SNAPSHOT_EVERY,
        )
        .limit(limit)
    )
    found = (await session.scalars(long)).all()
    for stream in found:
        await _take_snapshot(session, stream.removeprefix(accounts.PREFIX))
    return len(found)


async def _take_snapshot(session: Session, name: str) -> None:
    now = await account(session, name)
    stream = accounts.stream_of(name)
    recorded = await event_store.load(session, stream, after=now.version - 1)
    await insert_if_absent(
        session,
        snapshots,
        stream=stream,
        version=now.version,
        schema=accounts.STATE_SCHEMA,
        state=now.state(),
        recorded_at=next(one.recorded_at for one in recorded if one.version == now.version),
    )


async def audit(session: Session) -> Mapping[str, Account]:
    """Every account, added up from its first event, without any snapshot."""
    found: dict[str, Account] = {}
    async for one in event_store.scan(session, accounts.PREFIX):
        name = one.stream.removeprefix(accounts.PREFIX)
        found[name] = found.get(name, Account(name)).after([one.event])
    return found
