"""Work beside the requests: it ends in order, and the process doesn't outlive it."""

import asyncio
import time

import pytest

from chassis.background import Background
from chassis.lifecycle import Lifecycle
from support.awaiting import eventually


@pytest.fixture
def lifecycle() -> Lifecycle:
    return Lifecycle(settle=0, drain=0, clock=time.monotonic)


async def until_told(stopping: asyncio.Event) -> None:
    await stopping.wait()


async def fails(_: asyncio.Event) -> None:
    raise ZeroDivisionError


async def returns(_: asyncio.Event) -> None:
    return


@pytest.mark.parametrize("work", [fails, returns])
async def test_work_that_ends_by_itself_ends_the_process_with_an_error(work: object, lifecycle: Lifecycle) -> None:
    background = Background(lifecycle)
    background.add("work", work, until="drain")  # type: ignore[arg-type]  # a parameter of a test is of any type
    background.start()
    await eventually(lambda: lifecycle.failed, within=5)
    await background.end()
    assert lifecycle.draining


async def test_work_that_ends_when_told_is_no_failure(lifecycle: Lifecycle) -> None:
    background = Background(lifecycle)
    background.add("work", until_told, until="drain")
    background.start()
    await background.end()
    assert not lifecycle.failed


async def test_consumers_end_at_the_drain_and_the_relay_after_them(lifecycle: Lifecycle) -> None:
    ended: list[str] = []
    background = Background(lifecycle)

    async def consume(stopping: asyncio.Event) -> None:
        await stopping.wait()
        ended.append("consumer")

    async def relay(stopping: asyncio.Event) -> None:
        await stopping.wait()
        ended.append("relay")

    background.add("relay", relay, until="end")
    background.add("consumer", consume, until="drain")
    background.start()
    await asyncio.sleep(0)
    lifecycle.begin_drain()
    lifecycle.announce_drain()
    await eventually(lambda: ended, within=5)
    assert ended == ["consumer"]
    await background.end()
    assert ended == ["consumer", "relay"]
    assert not lifecycle.failed


async def test_work_that_does_not_end_in_time_is_cut_off(lifecycle: Lifecycle) -> None:
    cut_off = asyncio.Event()

    async def hang(_: asyncio.Event) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cut_off.set()

    background = Background(lifecycle)
    background.add("work", hang, until="drain")
    background.start()
    await asyncio.sleep(0)
    await background.end()
    assert cut_off.is_set()
    assert not lifecycle.failed
