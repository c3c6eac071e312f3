"""What inventory does by the clock. Each job is safe beside itself in other processes: rows in work are skipped."""

from datetime import UTC, datetime, timedelta
from typing import Final

from chassis.database import Database
from chassis.idempotency import IdempotencyKeys
from chassis.inbox import Inbox
from inventory.stockroom import Stockroom
from inventory.supply import Supply

_KEYS_KEPT: Final = timedelta(days=8)
"""Longer than anybody repeats a request."""


async def expire(database: Database, stockroom: Stockroom) -> None:
    """Give back what nobody paid in time: one reservation a transaction, so that locks are taken in their order."""
    more = True
    while more:
        async with database.transaction() as session:
            more = await stockroom.expire_one(session)


async def replenish(database: Database, supply: Supply) -> None:
    """Receive what has arrived, then order what is scarce."""
    more = True
    while more:
        async with database.transaction() as session:
            more = await supply.receive_due(session)
    async with database.transaction() as session:
        scarce = await supply.scarce(session)
    for sku, warehouse in scarce:
        async with database.transaction() as session:
            await supply.buy(session, sku, warehouse)


async def forget(database: Database) -> None:
    """Forget which events were handled, once the broker can't send them again, and old keys."""
    now = datetime.now(UTC)
    async with database.transaction() as session:
        await Inbox().forget(session, now)
        await IdempotencyKeys().forget(session, now - _KEYS_KEPT)
