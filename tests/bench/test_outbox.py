"""What the outbox costs and what its relay carries, as ratios to bare ``INSERT … COMMIT`` on the same Postgres.

Needs no cluster: ``pytest tests/bench/test_outbox.py -s``. Rounds alternate, so that a busy machine slows all alike.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import asyncpg
import pytest
import uvloop
from prometheus_client import CollectorRegistry

from chassis.broker import Broker
from chassis.database import Database
from chassis.events import Envelope, event
from chassis.ids import new_id
from chassis.local_data import DataServices, data_services
from chassis.migrations import migrate
from chassis.outbox import Outbox
from chassis.relay import Relay
from chassis.settings import Settings
from chassis.share import Share
from chassis.telemetry import Telemetry

APPS = Path(__file__).parents[1] / "services" / "apps"
ROUNDS, ROWS, EVENTS, AGGREGATES, CONNECTIONS = 5, 1000, 2000, 200, 8
BARE = "CREATE TABLE bare (id text PRIMARY KEY, message text NOT NULL)"
Rate = Callable[[], Awaitable[float]]


def an_event(number: int) -> Envelope:
    return event("StockLow", {"sku": f"sku-{number}", "warehouse": "kiel", "available": number})


class Bench:
    """One Postgres, one NATS, and the ways to write to them."""

    def __init__(self, database: Database, bare: asyncpg.Pool, relays: list[Relay]) -> None:
        self._database = database
        self._bare = bare
        self._relays = relays
        self._outbox = Outbox()
        self._message = an_event(0).to_bytes().decode()

    async def insert(self) -> float:
        """Rows a second: one statement, one commit each, by the driver alone."""

        async def one(_: int) -> None:
            await self._bare.execute("INSERT INTO bare VALUES ($1, $2)", new_id(), self._message)

        return await _rate(one, ROWS)

    async def add(self) -> float:
        """Events a second into the outbox, a transaction each."""

        async def one(number: int) -> None:
            async with self._database.transaction() as session:
                await self._outbox.add(session, an_event(number), aggregate_id=str(number % AGGREGATES))

        rate = await _rate(one, ROWS)
        await self._drain(self._relays[:1])
        return rate

    async def publish(self, relays: int) -> float:
        """Events a second out of the outbox, each acknowledged by the broker."""
        async with self._database.transaction() as session:
            for number in range(EVENTS):
                await self._outbox.add(session, an_event(number), aggregate_id=str(number % AGGREGATES))
        started = time.perf_counter()
        await self._drain(self._relays[:relays])
        return EVENTS / (time.perf_counter() - started)

    async def _drain(self, relays: list[Relay]) -> None:
        async def drain(relay: Relay) -> None:
            while await relay.publish_some():
                pass

        await asyncio.gather(*(drain(relay) for relay in relays))


async def _rate(one: Callable[[int], Awaitable[None]], count: int) -> float:
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await one(number)

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))
    return count / (time.perf_counter() - started)


@asynccontextmanager
async def a_bench(data: DataServices) -> AsyncIterator[Bench]:
    url = data.database_url("announcer")
    database = Database(url, connections=CONNECTIONS)
    brokers = [Broker(data.broker_url, service="bench", telemetry=_telemetry()) for _ in range(2)]
    async with asyncpg.create_pool(url.replace("+asyncpg", ""), min_size=CONNECTIONS, max_size=CONNECTIONS) as bare:
        await bare.execute(BARE)
        await migrate(database, "announcer", patience=10)
        for broker in brokers:
            await broker.open()
            await broker.session()
        relays = [Relay(database, one, share=Share(), registry=CollectorRegistry()) for one in brokers]
        yield Bench(database, bare, relays)
        for broker in brokers:
            await broker.close()
    await database.close()


def _telemetry() -> Telemetry:
    return Telemetry(Settings(service="bench"))


async def measure(data: DataServices) -> dict[str, list[float]]:
    async with a_bench(data) as bench:
        arms: dict[str, Rate] = {
            "bare INSERT … COMMIT": bench.insert,
            "outbox: add and commit": bench.add,
            "outbox: one relay publishes": lambda: bench.publish(1),
            "outbox: two relays publish": lambda: bench.publish(2),
        }
        rounds = [{arm: await rate() for arm, rate in arms.items()} for _ in range(ROUNDS)]
        return {arm: [one[arm] for one in rounds] for arm in arms}


def test_the_outbox_as_a_ratio_to_bare_inserts(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(APPS)
    with data_services() as data:
        found = uvloop.run(measure(data))
    print(f"\n{machine}; {CONNECTIONS} connections, {AGGREGATES} aggregates; medians of {ROUNDS} rounds")
    bare = found["bare INSERT … COMMIT"]
    for arm, rates in found.items():
        ratio = median(rate / base for rate, base in zip(rates, bare, strict=True))
        print(f"{arm:28} {median(rates):6.0f}/s {ratio:5.0%}")
