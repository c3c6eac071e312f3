"""The database of a service, on Postgres and on SQLite: what holds for both, and what Postgres alone can show."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Column, Integer, Table, Text, func, insert, make_url, select, text
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.pool import QueuePool

from chassis import idempotency, inbox, outbox
from chassis.database import IN_MEMORY, Database, DatabaseUnavailable, Json, Timestamp, insert_if_absent, metadata
from chassis.local_data import DataServices, data_services
from chassis.migrations import differences, migrate
from support.silence import Silence, way_to

APPS = Path(__file__).parent / "apps"
THINGS = Table(
    "things",
    metadata(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", Text),
    Column("at", Timestamp),
    Column("more", Json),
)


@pytest.fixture(params=["postgres", "sqlite"])
async def database(request: pytest.FixtureRequest, data: DataServices) -> AsyncIterator[Database]:
    url = data.database_url(f"things_{uuid4().hex}") if request.param == "postgres" else IN_MEMORY
    database = Database(url)
    async with database.engine.begin() as connection:
        await connection.run_sync(THINGS.metadata.create_all)
    yield database
    await database.close()


async def count(database: Database) -> int:
    async with database.transaction() as session:
        return (await session.execute(select(func.count()).select_from(THINGS))).scalar_one()


async def _insert_and_fail(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(insert(THINGS).values(id=1))
        raise ZeroDivisionError


async def test_a_block_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        await _insert_and_fail(database)
    assert await count(database) == 0


async def test_a_block_that_is_cut_off_leaves_nothing_and_blocks_nobody(database: Database) -> None:
    inside = asyncio.Event()

    async def hold() -> None:
        async with database.transaction() as session:
            await session.execute(insert(THINGS).values(id=1))
            inside.set()
            await asyncio.Event().wait()

    holding = asyncio.create_task(hold())
    await inside.wait()
    holding.cancel()
    await asyncio.wait([holding])
    assert await count(database) == 0


async def test_connections_are_there_before_they_are_needed_and_the_last_used_comes_first(data: DataServices) -> None:
    database = Database(data.database_url("warm"), connections=6)
    await database.open()
    assert isinstance(database.engine.pool, QueuePool)
    assert database.engine.pool.checkedin() == 4
    used = set()
    for _ in range(8):
        async with database.transaction() as session:
            used.add(await session.scalar(text("SELECT pg_backend_pid()")))
    assert len(used) == 1
    await database.close()


async def test_of_equal_rows_one_is_inserted_however_many_try_at_once(database: Database) -> None:
    async def attempt() -> bool:
        async with database.transaction() as session:
            return await insert_if_absent(session, THINGS, id=1, name="anchor")

    assert sorted(await asyncio.gather(*(attempt() for _ in range(8)))) == [False] * 7 + [True]


async def test_moments_come_back_in_utc_and_json_as_it_was(database: Database) -> None:
    at = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=timezone(timedelta(hours=2)))
    more = {"ids": [1, None, "ä"], "nested": {"money": 12}}
    async with database.transaction() as session:
        await session.execute(insert(THINGS).values(id=1, at=at, more=more))
    async with database.transaction() as session:
        row = (await session.execute(select(THINGS))).one()
    assert row.at == at
    assert row.at.tzinfo is UTC
    assert row.more == more


async def test_a_reading_of_a_clock_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="has no time zone"):
        await _insert_naive(database)


async def _insert_naive(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(insert(THINGS).values(id=1, at=datetime(2026, 1, 1)))  # noqa: DTZ001 - what is refused


@pytest.mark.parametrize("kind", ["postgres", "sqlite"])
async def test_migrations_make_the_tables_that_the_chassis_uses(
    kind: str, data: DataServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(APPS)
    database = Database(data.database_url(f"chassis_{uuid4().hex}") if kind == "postgres" else IN_MEMORY)
    try:
        for _ in range(2):  # a second run finds nothing to do
            await migrate(database, "announcer", patience=0)
        async with database.transaction() as session:
            tables = (outbox.TABLES, inbox.TABLES, idempotency.TABLES)
            assert await session.run_sync(differences, *tables) == []
    finally:
        await database.close()


async def test_a_role_reaches_its_own_database_only(data: DataServices) -> None:
    mine, other = data.database_url(f"mine_{uuid4().hex}"), data.database_url(f"other_{uuid4().hex}")
    trespasser = Database(mine.rpartition("/")[0] + "/" + other.rpartition("/")[2])
    with pytest.raises(DBAPIError, match="permission denied for database"):
        await trespasser.check()
    await trespasser.close()


@pytest.fixture
def own() -> Iterator[DataServices]:
    """Data services that a test may kill."""
    with data_services() as running:
        yield running


async def test_an_outage_is_a_503_and_is_over_when_the_database_is_back(own: DataServices) -> None:
    database = Database(own.database_url("things"))
    await database.check()
    own.postgres.kill()
    with pytest.raises(DatabaseUnavailable) as refused:
        await database.check()
    assert refused.value.status == 503
    own.postgres.start()
    await database.check()
    with pytest.raises(DatabaseUnavailable):
        await _killed_inside(database, own)
    own.postgres.start()
    await database.check()
    await database.close()


async def _killed_inside(database: Database, own: DataServices) -> None:
    async with database.transaction() as session:
        await session.execute(text("SELECT 1"))
        own.postgres.kill()
        await session.execute(text("SELECT 1"))


@asynccontextmanager
async def on_a_way(data: DataServices) -> AsyncIterator[tuple[Database, Silence]]:
    """A database with three connections open, on a way that can fall silent."""
    async with way_to("127.0.0.1", data.postgres.port) as (silence, port):
        url = make_url(data.database_url(f"silent_{uuid4().hex}")).set(port=port)
        database = Database(url.render_as_string(hide_password=False), connections=3)
        await asyncio.gather(*(database.check() for _ in range(3)))
        yield database, silence


async def test_a_database_that_falls_silent_is_unavailable(data: DataServices, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a machine does that is cut off: nobody says that the connection is over."""
    monkeypatch.setattr("chassis.database._STATEMENT_SECONDS", 1.0)
    async with on_a_way(data) as (database, silence):
        silence.fall()
        async with asyncio.timeout(20):
            with pytest.raises(DatabaseUnavailable):
                await database.check()
            await database.close()


async def test_connections_on_which_nobody_answers_keep_no_process_from_its_end(data: DataServices) -> None:
    async with on_a_way(data) as (database, silence):
        silence.fall()
        async with asyncio.timeout(10):
            await database.close()


async def test_migrations_wait_for_a_database_that_is_not_there_yet(
    own: DataServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(APPS)
    url = own.database_url("late")
    own.postgres.kill()
    database = Database(url)
    migrating = asyncio.create_task(migrate(database, "announcer", patience=30))
    await asyncio.to_thread(own.postgres.start)
    await migrating
    await database.close()
