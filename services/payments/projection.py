"""Balances of all accounts in a table: for lists, never for decisions. It can be thrown away at any time.

It follows each stream by its version, not one position over all streams: positions are given out before they are
committed, so whoever follows them can pass an event by that commits late. ``python -m payments.projection`` makes it
anew.
"""

import asyncio
import logging
import os
import sys
from typing import Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.database import Database, insert_if_absent
from payments.domain import account as accounts
from payments.domain.account import Account
from payments.store import event_store
from payments.store.tables import balances, projected, streams

AT_ONCE: Final = 200


async def catch_up(session: AsyncSession) -> int:
    """Take in what has happened to some of the accounts that have grown; how many.

    Writers never wait for it: it locks its own rows, not the streams' heads.
    """
    grown = (
        select(streams.c.id)
        .outerjoin(projected, projected.c.stream == streams.c.id)
        .where(streams.c.id.startswith(accounts.PREFIX), streams.c.version > func.coalesce(projected.c.version, 0))
        .order_by(streams.c.id)
        .limit(AT_ONCE)
    )
    found = (await session.scalars(grown)).all()
    for stream in found:
        await insert_if_absent(session, projected, stream=stream, version=0)
        mine = select(projected.c.version).where(projected.c.stream == stream).with_for_update(skip_locked=True)
        version = await session.scalar(mine)
        if version is not None:
            await _take_in(session, stream, version)
    return len(found)


async def rebuild(session: AsyncSession) -> int:
    """Throw it away and make it anew from the first event on; how many accounts there are."""
    await session.execute(delete(balances))
    await session.execute(delete(projected))
    count = 0
    while taken := await catch_up(session):
        count += taken
    return count


async def _take_in(session: AsyncSession, stream: str, version: int) -> None:
    name = stream.removeprefix(accounts.PREFIX)
    query = select(balances.c.currency, balances.c.balance).where(balances.c.account == name)
    before = Account(name, version, {row.currency: row.balance for row in await session.execute(query)})
    tail = await event_store.load(session, stream, after=version)
    now = before.after(one.event for one in tail)
    await session.execute(delete(balances).where(balances.c.account == name))
    rows = [{"account": name, "currency": currency, "balance": amount} for currency, amount in now.balances.items()]
    if rows:
        await session.execute(insert(balances), rows)
    reached = update(projected).where(projected.c.stream == stream)
    await session.execute(reached.values(version=now.version))


async def owing(session: AsyncSession, *, limit: int) -> list[tuple[str, int, str]]:
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
