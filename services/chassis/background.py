"""Work that a service does beside its requests: consumers, schedules, the outbox' relay.

It starts when the service has all that it needs, and ends in order. What takes on work of its own ends when the drain
begins, while requests are still served; what serves others (a relay, a broker's connection) ends after the last of
them. Work that ends by itself is a failure: the process ends too, for a service that goes on without its consumers
looks well and isn't.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final, Literal

from chassis.lifecycle import Lifecycle

_log = logging.getLogger(__name__)

Run = Callable[[asyncio.Event], Awaitable[None]]
"""Gets an event that is set when the work shall end; returns when what was begun is finished."""
Until = Literal["drain", "end"]

_LAST_SECONDS: Final = 5.0
"""For those that end last, after the others had what was left of the drain."""


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until the work shall end."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopping.wait()


class Background:
    """The background work of one process."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle
        self._works: list[tuple[str, Run, Until]] = []
        self._tasks: dict[Until, dict[asyncio.Future[None], str]] = {"drain": {}, "end": {}}
        self._stopping: dict[Until, asyncio.Event] = {"drain": asyncio.Event(), "end": asyncio.Event()}
        lifecycle.on_drain(self._stopping["drain"].set)

    def add(self, name: str, run: Run, *, until: Until) -> None:
        """Do this once the service has started."""
        self._works.append((name, run, until))

    def start(self) -> None:
        """Begin all of it."""
        for name, run, until in self._works:
            stopping = self._stopping[until]
            task = asyncio.ensure_future(run(stopping))
            task.add_done_callback(partial(self._ended, name, stopping))
            self._tasks[until][task] = name

    async def end(self) -> None:
        """End all of it; what doesn't in time is cancelled."""
        await self._end("drain", self._lifecycle.time_left())
        await self._end("end", _LAST_SECONDS)

    async def _end(self, until: Until, seconds: float) -> None:
        self._stopping[until].set()
        if not self._tasks[until]:
            return
        _, late = await asyncio.wait(self._tasks[until], timeout=seconds)
        for task in late:
            _log.warning("%s did not end within %.1f s", self._tasks[until][task], seconds)
            task.cancel()
        if late:
            await asyncio.wait(late)

    def _ended(self, name: str, stopping: asyncio.Event, task: asyncio.Future[None]) -> None:
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            _log.critical("%s failed, and the process ends with it", name, exc_info=error)
            self._lifecycle.fail()
        elif not stopping.is_set():
            _log.critical("%s has ended by itself, and the process ends with it", name)
            self._lifecycle.fail()
