"""A canary takes its share of the messages on a real NATS: nothing at weight 0, about a tenth at 10, live."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from nats.js.errors import NotFoundError

from chassis.events import Envelope
from chassis.local_data import Nats
from chassis.streams import SHOP
from support.awaiting import eventually
from support.messaging import Worker, a_nats, happened


@pytest.fixture
def nats() -> Iterator[Nats]:
    with a_nats() as server:
        yield server


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


class Pod:
    """A process with the file in which the operator tells it its part."""

    def __init__(self, nats: Nats, folder: Path, name: str) -> None:
        self._file = folder / name
        self.worker = Worker(nats, annotations=self._file)

    def told(self, role: str, weight: int, peers: int = 1) -> None:
        """Write the file as the kubelet does."""
        lines = {"kubernetes.io/config.source": "api", "role": role, "weight": weight, "share": weight, "peers": peers}
        told = (f'{key if "/" in key else f"seatrial.dev/{key}"}="{value}"' for key, value in lines.items())
        self._file.write_text("\n".join(told), encoding="utf-8")

    async def start(self, stack: AsyncExitStack) -> None:
        """Open its connection and consume until the end of the test."""
        await self.worker.broker.open()
        stack.push_async_callback(self.worker.broker.close)
        async with asyncio.timeout(10):
            await self.worker.broker.session()
        await stack.enter_async_context(self.worker.consuming(self._work))

    async def _work(self, envelope: Envelope) -> None:
        """What a handler does that writes to a database: it waits a little."""
        await asyncio.sleep(0.04)
        await self.worker.keep(envelope)

    @property
    def handled(self) -> int:
        """Messages that it has handled."""
        return len(self.worker.handled)


async def publish(by: Pod, count: int) -> None:
    """Publish so many, some at a time."""
    for _ in range(count // 20):
        await asyncio.gather(*(by.worker.broker.publish(happened()) for _ in range(20)))


async def all_handled(count: int, *pods: Pod) -> None:
    await eventually(lambda: sum(pod.handled for pod in pods) == count, within=30, what=f"{count} are handled")


async def test_at_weight_0_a_pod_touches_nothing(nats: Nats, tmp_path: Path, stack: AsyncExitStack) -> None:
    canary = Pod(nats, tmp_path, "canary")
    canary.told("canary", 0)
    await canary.start(stack)
    await publish(canary, 20)
    stable = Pod(nats, tmp_path, "stable")
    with pytest.raises(NotFoundError):
        await canary.worker.broker.jetstream().consumer_info(SHOP, "orders-test")
    await stable.start(stack)
    await all_handled(20, stable)
    assert canary.handled == 0


@pytest.mark.parametrize(("weight", "peers"), [(10, 1), (10, 2), (50, 2)])
async def test_a_canary_takes_its_share_of_a_backlog(
    nats: Nats, tmp_path: Path, stack: AsyncExitStack, weight: int, peers: int
) -> None:
    stable = [Pod(nats, tmp_path, f"stable-{number}") for number in range(2)]
    canaries = [Pod(nats, tmp_path, f"canary-{number}") for number in range(peers)]
    for pod in canaries:
        pod.told("canary", weight, peers)
    for pod in (*canaries, *stable):
        await pod.start(stack)
    await publish(stable[0], 600)
    await all_handled(600, *stable, *canaries)
    share = sum(pod.handled for pod in canaries) / 600
    assert weight / 100 * 0.6 <= share <= weight / 100 + 2 * peers / 600


async def test_a_trickle_is_shared_too(nats: Nats, tmp_path: Path, stack: AsyncExitStack) -> None:
    """One message at a time, where everybody waits for it."""
    stable, canary = Pod(nats, tmp_path, "stable"), Pod(nats, tmp_path, "canary")
    canary.told("canary", 20)
    await stable.start(stack)
    await canary.start(stack)
    for count in range(1, 101):
        await stable.worker.broker.publish(happened())
        await all_handled(count, stable, canary)
    assert 14 <= canary.handled <= 22


async def test_a_changed_weight_counts_at_once(nats: Nats, tmp_path: Path, stack: AsyncExitStack) -> None:
    stable, canary = Pod(nats, tmp_path, "stable"), Pod(nats, tmp_path, "canary")
    stable.told("stable", 50)
    canary.told("canary", 50)
    await stable.start(stack)
    await canary.start(stack)
    await publish(stable, 200)
    await all_handled(200, stable, canary)
    assert canary.handled > 40
    canary.told("kept", 0)
    await eventually(canary.worker.share.idle, within=5)
    await eventually(lambda: _nobody_waits_but(stable), within=10, every=0.1)
    had = canary.handled
    await publish(stable, 100)
    await all_handled(300, stable, canary)
    assert canary.handled == had
    canary.told("stable", 100)
    stable.told("kept", 0)
    await eventually(stable.worker.share.idle, within=5)
    await publish(stable, 100)
    await all_handled(400, stable, canary)
    assert canary.handled > had


async def _nobody_waits_but(pod: Pod) -> bool:
    """Whether the broker has open requests of one process only: that asks in one request at most at a time, or two."""
    info = await pod.worker.broker.jetstream().consumer_info(SHOP, "orders-test")
    return (info.num_waiting or 0) <= 2


async def test_nothing_waits_for_a_canary_that_is_gone(nats: Nats, tmp_path: Path, stack: AsyncExitStack) -> None:
    stable, canary = Pod(nats, tmp_path, "stable"), Pod(nats, tmp_path, "canary")
    stable.told("stable", 10)
    canary.told("canary", 90)
    await stable.start(stack)
    async with AsyncExitStack() as short:
        await canary.start(short)
    await publish(stable, 60)
    await all_handled(60, stable)
