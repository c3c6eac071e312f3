"""What the ledger costs: charges against bare commits on the same Postgres, and reading with and without snapshots.

Needs no cluster: ``pytest tests/bench/test_ledger.py -s``. Rounds alternate, so that a busy machine slows all alike.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest
from sqlalchemy import delete, text

from chassis.database import Database
from chassis.ids import new_id
from chassis.local_data import data_services
from chassis.migrations import migrate
from chassis.outbox import Outbox
from payments.books import Books
from payments.domain.events import ChargeIntended, ChargeSettled
from payments.origin import Origin
from payments.store import accounts
from payments.store.tables import snapshots

ROUNDS, CHARGES, CONNECTIONS = 5, 100, 8
ORIGIN = Origin("bench", "bench")


class Bench:
    """A database of payments, and two ways to commit to it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        day = timedelta(days=1)
        self._books = Books(Outbox(), terms=day, grace=day, clock=lambda: datetime.now(UTC))

    async def bare(self, _: int) -> None:
        """The least that two steps of a charge could cost: two transactions with a row each."""
        for _step in range(2):
            async with self._database.transaction() as session:
                await session.execute(text("INSERT INTO bare VALUES (:id)"), {"id": new_id()})

    async def charge(self, _: int) -> None:
        """Both steps of a charge: the intent; then the answer with ledger, invoice, and events for others."""
        order = new_id()
        intent = ChargeIntended(new_id(), order, f"c-{order}", 1999, "EUR", "card", "orchestrated", order)
        for event in (intent, ChargeSettled("A1")):
            async with self._database.transaction() as session:
                charge = await accounts.charge(session, order)
                await self._books.record(session, charge, event, origin=ORIGIN)

    async def read(self) -> float:
        """Milliseconds to add up the busiest account there is."""
        started = time.perf_counter()
        async with self._database.transaction() as session:
            assert (await accounts.account(session, "bank")).version == (ROUNDS + 1) * CHARGES
        return (time.perf_counter() - started) * 1000

    async def take_snapshots(self) -> None:
        """As the schedule does."""
        async with self._database.transaction() as session:
            await accounts.take_snapshots(session)

    async def throw_away_snapshots(self) -> None:
        """As if there had never been any."""
        async with self._database.transaction() as session:
            await session.execute(delete(snapshots))


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    with data_services() as data:
        database = Database(await asyncio.to_thread(data.database_url, "payments"), connections=CONNECTIONS)
        await migrate(database, "payments", patience=5)
        async with database.transaction() as session:
            await session.execute(text("CREATE TABLE bare (id text PRIMARY KEY)"))
        yield Bench(database)
        await database.close()


async def _rate(one: Callable[[int], Awaitable[None]]) -> float:
    """Calls a second, so many at a time as there are connections."""
    left = iter(range(CHARGES))

    async def work() -> None:
        for number in left:
            await one(number)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    return CHARGES / (time.perf_counter() - started)


async def test_ledger(bench: Bench) -> None:
    await _rate(bench.charge)  # warms what is compiled and planned at its first use
    rounds = [(await _rate(bench.bare), await _rate(bench.charge)) for _ in range(ROUNDS)]
    plain, charges = (median(column) for column in zip(*rounds, strict=True))
    print(f"\ncharges, two transactions each, all through one account: {charges:.0f}/s")
    print(f"as a ratio to two bare commits each ({plain:.0f}/s): {median(c / p for p, c in rounds):.2f}")
    without = median([await bench.read() for _ in range(9)])
    await bench.take_snapshots()
    with_one = median([await bench.read() for _ in range(9)])
    await bench.throw_away_snapshots()
    print(
        f"reading an account of {(ROUNDS + 1) * CHARGES} postings: {without:.1f} ms, with a snapshot {with_one:.1f} ms"
    )
