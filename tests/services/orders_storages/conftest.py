"""One suite for all storages: memory, SQLite, Postgres. The same orders, put together by the same composition root."""

from collections.abc import AsyncIterator

import pytest

from chassis.database import Database
from chassis.migrations import migrate
from support.ordering import Clock, Ground, MemoryGround, Pod, Shop, SqlGround


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def ground(request: pytest.FixtureRequest, clock: Clock) -> AsyncIterator[Ground]:
    if request.param == "memory":
        yield MemoryGround(clock)
        return
    url = request.getfixturevalue("database_url") if request.param == "postgres" else None
    database = Database(url)
    await migrate(database, "orders", patience=0)
    yield await SqlGround(database, clock).emptied()
    await database.close()


@pytest.fixture
def pod(ground: Ground, shop: Shop, clock: Clock) -> Pod:
    return Pod(ground, shop, clock)


@pytest.fixture
def other(ground: Ground, shop: Shop, clock: Clock) -> Pod:
    return Pod(ground, shop, clock)
