"""Events leave once their change is committed: all of them, none twice in the stream, in order for each aggregate.

Postgres and NATS are real, and each of them, and the relay's process, is killed while events are on their way.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import groupby
from pathlib import Path
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import func, select, update

from chassis.broker import Broker
from chassis.database import IN_MEMORY, Database
from chassis.events import Envelope, event
from chassis.local_data import DataServices, data_services
from chassis.migrations import migrate
from chassis.outbox import OUTBOX, Outbox
from chassis.relay import Relay
from chassis.settings import Settings
from chassis.share import Share
from chassis.telemetry import Telemetry
from support import awaiting, streams
from support.processes import Start

APPS = Path(__file__).parent / "apps"
SKUS, EACH = 12, 8


@pytest.fixture(scope="module")
def own() -> Iterator[DataServices]:
    """Data services that these tests may kill."""
    with data_services() as running:
        yield running


@pytest.fixture
def url(own: DataServices, monkeypatch: pytest.MonkeyPatch) -> str:
    """An announcer's database for one test, beside a broker without any stream."""
    monkeypatch.syspath_prepend(APPS)
    streams.forget(own.broker_url)
    return own.database_url(f"announcer_{uuid4().hex}")


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    try:
        await migrate(database, "announcer", patience=10)
        yield database
    finally:
        await database.close()


class Post:
    """A database with an outbox, and as many relays as a test wants."""

    def __init__(self, database: Database, broker_url: str, stack: AsyncExitStack) -> None:
        self.database = database
        self.outbox = Outbox()
        self.registry = CollectorRegistry()
        self._broker_url = broker_url
        self._stack = stack

    async def tell(self, sku: str, available: int) -> Envelope:
        """One transaction that tells of one thing."""
        told = event("StockLow", {"sku": sku, "warehouse": "kiel", "available": available})
        async with self.database.transaction() as session:
            await self.outbox.add(session, told, aggregate_id=sku)
        return told

    async def waiting(self) -> int:
        """How many events haven't left."""
        async with self.database.transaction() as session:
            return (await session.execute(select(func.count()).select_from(OUTBOX))).scalar_one()

    async def drained(self) -> None:
        """Wait until none is left."""
        await awaiting.eventually(self._empty, within=30, what="the outbox is empty")

    async def relay(self, annotations: Path | None = None) -> "Running":
        """Start a relay with a connection to the broker of its own."""
        broker = Broker(self._broker_url, service="announcer", telemetry=Telemetry(Settings(service="announcer")))
        await broker.open()
        self._stack.push_async_callback(broker.close)
        share = Share(annotations) if annotations else Share()
        relay = Relay(self.database, broker, share=share, registry=CollectorRegistry())
        running = Running(relay)
        self._stack.push_async_callback(running.end)
        return running

    async def _empty(self) -> bool:
        return await self.waiting() == 0


class Running:
    """A relay at work."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self._stopping = asyncio.Event()
        self._task = asyncio.create_task(relay.run(self._stopping))

    async def end(self) -> None:
        """Ask it to end and wait."""
        self._stopping.set()
        await self._task


@pytest.fixture
async def post(url: str, own: DataServices) -> AsyncIterator[Post]:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(opened(url))
        yield Post(database, own.broker_url, stack)


def told(messages: list[streams.Message]) -> dict[str, list[int]]:
    """What the events of each SKU say, in their order, once their numbers are seen to rise by one."""
    by_sku: dict[str, list[int]] = {}
    for sku, group in groupby(sorted(messages, key=_sku), key=_sku):
        those = list(group)
        assert [one["metadata"]["sequence"] for one in those] == list(range(1, len(those) + 1))
        by_sku[sku] = [one["payload"]["available"] for one in those]
    return by_sku


def _sku(message: streams.Message) -> str:
    sku: str = message["payload"]["sku"]
    return sku


ALL = {f"sku-{number:02}": list(range(EACH)) for number in range(SKUS)}


@pytest.mark.parametrize("kind", ["postgres", "sqlite"])
async def test_an_event_leaves_if_and_only_if_its_change_is_committed(kind: str, own: DataServices, url: str) -> None:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(opened(url if kind == "postgres" else IN_MEMORY))
        post = Post(database, own.broker_url, stack)
        with pytest.raises(ZeroDivisionError):
            await _tell_and_fail(post)
        committed = await post.tell("rope-01", 3)
        await post.relay()
        await post.drained()
        [message] = await streams.kept(own.broker_url)
        assert message["eventId"] == committed.event_id
        assert message["metadata"]["sequence"] == 1


async def _tell_and_fail(post: Post) -> None:
    async with post.database.transaction() as session:
        never = event("StockLow", {"sku": "bell-01", "warehouse": "kiel", "available": 1})
        await post.outbox.add(session, never, aggregate_id="bell-01")
        raise ZeroDivisionError


async def test_a_commit_wakes_the_relay_of_its_process(post: Post) -> None:
    woken = asyncio.Event()
    outbox = Outbox(woken.set)
    async with post.database.transaction() as session:
        told = event("StockLow", {"sku": "bell-01", "warehouse": "kiel", "available": 1})
        await outbox.add(session, told, aggregate_id="bell-01")
        assert not woken.is_set()
    assert woken.is_set()


async def test_several_relays_share_the_work_and_keep_the_order_of_each_aggregate(
    post: Post, own: DataServices
) -> None:
    relays = [await post.relay() for _ in range(3)]
    async with asyncio.TaskGroup() as group:
        for sku in ALL:
            group.create_task(_tell_all(post, sku))
    await post.drained()
    assert told(await streams.kept(own.broker_url)) == ALL
    assert len(relays) == 3


async def _tell_all(post: Post, sku: str) -> None:
    for available in range(EACH):
        await post.tell(sku, available)


async def test_transactions_at_the_same_moment_are_numbered_as_they_commit(post: Post, own: DataServices) -> None:
    async with asyncio.TaskGroup() as group:
        telling = [group.create_task(post.tell("rope-01", number)) for number in range(20)]
    await post.relay()
    await post.drained()
    found = await streams.kept(own.broker_url)
    assert {one["eventId"] for one in found} == {task.result().event_id for task in telling}
    assert len(told(found)["rope-01"]) == 20


async def test_a_process_killed_while_it_publishes_loses_nothing_and_tells_nothing_twice(
    post: Post, own: DataServices, url: str, start: Start
) -> None:
    for available in range(EACH):
        for sku in ALL:
            await post.tell(sku, available)
    env = {"DATABASE_URL": url, "BROKER_URL": own.broker_url}
    first = await asyncio.to_thread(start, "announcer", **env)
    await awaiting.eventually(lambda: streams.count(own.broker_url), within=30, every=0.001)
    first.kill()
    await asyncio.to_thread(start, "announcer", **env)
    await post.drained()
    assert told(await streams.kept(own.broker_url)) == ALL


async def test_what_was_published_but_not_forgotten_is_dropped_by_the_broker(post: Post, own: DataServices) -> None:
    await post.tell("rope-01", 7)
    async with post.database.transaction() as session:
        [row] = (await session.execute(select(OUTBOX))).all()
    relay = await post.relay()
    await post.drained()
    async with post.database.transaction() as session:  # as a process leaves it that died between the two
        await session.execute(OUTBOX.insert().values(row._asdict()))
    relay.relay.wake()
    await post.drained()
    assert len(await streams.kept(own.broker_url)) == 1


async def test_events_wait_for_a_broker_that_is_down_and_leave_in_order(post: Post, own: DataServices) -> None:
    await post.relay()
    await post.tell("rope-01", 0)
    await post.drained()
    own.nats.kill()
    for available in range(1, 5):
        await post.tell("rope-01", available)
    assert await post.waiting() == 4
    own.nats.start()
    await post.drained()
    assert told(await streams.kept(own.broker_url)) == {"rope-01": [0, 1, 2, 3, 4]}


async def test_a_database_that_was_killed_is_come_back_to(post: Post, own: DataServices) -> None:
    await post.relay()
    await post.tell("rope-01", 0)
    await asyncio.to_thread(own.postgres.kill)
    await asyncio.to_thread(own.postgres.start)
    await post.tell("rope-01", 1)
    await post.drained()
    assert told(await streams.kept(own.broker_url)) == {"rope-01": [0, 1]}


async def test_a_canary_without_weight_publishes_nothing(post: Post, own: DataServices, tmp_path: Path) -> None:
    annotations = tmp_path / "annotations"
    annotations.write_text('seatrial.dev/role="canary"\nseatrial.dev/weight="0"\n')
    canary = await post.relay(annotations)
    await post.tell("rope-01", 0)
    canary.relay.wake()
    await canary.end()
    assert await post.waiting() == 1
    await post.relay()
    await post.drained()


async def test_what_is_left_is_published_at_the_end(post: Post, own: DataServices) -> None:
    running = await post.relay()
    await post.tell("bell-01", 0)
    await post.drained()
    for available in range(3):
        await post.tell("rope-01", available)
    await running.end()
    assert await post.waiting() == 0


async def test_a_type_that_only_a_newer_revision_knows_leaves_as_it_was_written(post: Post, own: DataServices) -> None:
    await post.tell("rope-01", 0)
    async with post.database.transaction() as session:
        newer = func.replace(OUTBOX.c.message, "StockLow", "StockSoonLow")
        await session.execute(update(OUTBOX).values(message=newer, subject="shop.inventory.StockSoonLow"))
    await post.relay()
    await post.drained()
    [message] = await streams.kept(own.broker_url)
    assert message["eventType"] == "StockSoonLow"
