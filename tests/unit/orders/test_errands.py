"""How long a request waits for an errand: as long as it likes to, and never longer than it is waited for itself."""

import asyncio
import time

import pytest

from chassis import context
from orders.adapters.errands import TaskErrands


@pytest.mark.parametrize(
    ("patience", "asked_for", "least", "most"),
    [(0.05, 10.0, 0.05, 5.0), (60.0, 0.6, 0.05, 5.0), (60.0, 0.2, 0.0, 5.0)],
    ids=["its own patience", "what is left less the way back", "nothing left"],
)
async def test_it_waits_no_longer_than_it_is_waited_for(
    patience: float, asked_for: float, least: float, most: float
) -> None:
    errands, ends = TaskErrands(), asyncio.Event()
    started = time.monotonic()
    with context.resume("click", timeout=asked_for):
        assert await errands.run(ends.wait(), patience=patience) is None
    assert least <= time.monotonic() - started < most
    assert errands.busy(), "it goes on"
    ends.set()
    await errands.rest()


async def test_what_is_done_in_time_is_told() -> None:
    with context.resume("click", timeout=10):
        assert await TaskErrands().run(asyncio.sleep(0, "done"), patience=5) == "done"
