"""Balances of all accounts in a table: for lists, never for decisions. It can be thrown away at any time.

It follows each stream by its version, not one position over all streams: positions are given out before they are
committed, so whoever follows them can pass an event by that commits late. ``python -m payments.projection`` makes it
anew.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Mapping
from typing import Final

from sqlalchemy import bindparam, delete, func, insert, select, update

from chassis.database import Database, Session, insert_into
from payments.domain import account as accounts
from payments.domain.account import Account
from payments.store import event_store
from payments.store.tables import balances, events, projected, streams

AT_ONCE: Final = 200


async def catch_up(session: Session) -> int:
    """Take in what has happened to some of the accounts that have grown; how many.

    Writers never wait for it: it locks its own rows, not the streams' heads. Nor does another process that does the
    same: what one has locked the other skips, and neither holds its locks for longer than a few statements.
    """
    grown = (
        select(streams.c.id)
        .outerjoin(projected, projected.c.stream == streams.c.id)
        .where(streams.c.id.startswith(accounts.PREFIX), streams.c.version > func.coalesce(projected.c.version, 0))
        .order_by(streams.c.id)
        .limit(AT_ONCE)
    )
    found = (await session.scalars(grown)).all()
    if not found:
        return 0
    new = insert_into(projected, session.dialect.name)
    await session.execute(new.on_conflict_do_nothing(), [{"stream": name, "version": 0} for name in found])
    ours = (
        select(projected.c.stream, projected.c.version)
        .join(streams, streams.c.id == projected.c.stream)
        .where(projected.c.stream.in_(found), streams.c.version > projected.c.version)
        .order_by(projected.c.stream)
        .with_for_update(of=projected, skip_locked=True)
    )
    known = {row.stream: row.version for row in await session.execute(ours)}
    if known:
        await _take_in(session, known)
    return len(known)


async def rebuild(session: Session) -> int:
    """Throw it away and make it anew from the first event on; how many accounts there are."""
    await session.execute(delete(balances))
    await session.execute(delete(projected))
    count = 0
    while taken := await catch_up(session):
        count += taken
    return count


async def _take_in(session: Session, known: Mapping[str, int]) -> None:
    """Bring accounts, given as streams with the versions that are known of them, up to date."""
    names = {stream.removeprefix(accounts.PREFIX): stream for stream in known}
    here = balances.c.account.in_(names)
    kept: dict[str, dict[str, int]] = {name: {} for name in names}
    for row in await session.execute(select(balances).where(here)):
        kept[row.account][row.currency] = row.balance
    told: dict[str, list[event_store.Recorded]] = {stream: [] for stream in known}
    new = (events.c.stream == projected.c.stream) & (events.c.version > projected.c.version)
    tails = select(events).join(projected, new).where(projected.c.stream.in_(known)).order_by(events.c.version)
    for one in await event_store.chosen(session, tails):
        told[one.stream].append(one)
    grown = [
        Account(name, known[stream], kept[name]).after(one.event for one in told[stream])
        for name, stream in names.items()
    ]
    await session.execute(delete(balances).where(here))
    rows = [
        {"account": one.name, "currency": currency, "balance": amount}
        for one in grown
        for currency, amount in one.balances.items()
    ]
    if rows:
        await session.execute(insert(balances), rows)
    reached = update(projected).where(projected.c.stream == bindparam("name")).values(version=bindparam("reached"))
    await session.execute(reached, [{"name": accounts.stream_of(one.name), "reached": one.version} for one in grown])


async def owing(session: Session, *, limit: int) -> list[tuple[str, int, str]]:
    """Who owes most, as far as the projection has come: account, minor units, currency."""
    query = (
        select(balances.c.account, balances.c.balance, balances.c.currency)
        .where(balances.c.account.startswith("customer:"), balances.c.balance > 0)
        .order_by(balances.c.balance.desc(), balances.c.account)
        .limit(limit)
    )
    return [(account, balance, currency) for account, balance, currency in await session.execute(query)]


def main() -> None:
    """Rebuild the projection of ``DATABASE_URL``."""
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        sys.exit("DATABASE_URL is not set: whose projection is to be rebuilt?")

    async def run() -> int:
        database = Database(url, application="payments projection", connections=1)
        try:
            async with database.transaction() as session:
                return await rebuild(session)
        finally:
            await database.close()

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger(__name__).info("%d accounts, from their first event", asyncio.run(run()))


if __name__ == "__main__":
    main()
