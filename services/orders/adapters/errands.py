"""Work that goes on when its request is over, as tasks of the event loop that the process waits for at its end.

An errand that fails is logged and left: the record of its saga says what is due, and some process takes it up again.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from chassis import context

T = TypeVar("T")
U = TypeVar("U")

_log = logging.getLogger(__name__)

_AT_ONCE: Final = 128
_DAY: Final = 86400.0
_ANSWERING: Final = 0.5
"""Seconds that are kept for the way back."""


class TaskErrands:
    """Errands of one process; so many of those that nobody waits for at once."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def run(self, work: Coroutine[Any, Any, T], *, patience: float) -> T | None:
        """Begin it, and give its result, or None when it fails or takes longer than ``patience`` seconds.

        Nor does it wait for longer than whoever has asked: an answer that comes too late is no answer.
        """
        request = context.current()
        left = max(0.0, request.remaining() - _ANSWERING) if request else patience
        task = self._begin(work)
        await asyncio.wait({task}, timeout=min(patience, left))
        return task.result() if task.done() and task.exception() is None else None

    async def both(
        self, one: Coroutine[Any, Any, T], other: Coroutine[Any, Any, U]
    ) -> tuple[T | BaseException, U | BaseException]:
        """Do both at once, and give what each gave or raised."""
        first, second = await asyncio.gather(one, other, return_exceptions=True)
        return first, second

    def start(self, work: Coroutine[Any, Any, object], *, correlation: str) -> None:
        """Begin it; calls that it makes carry the correlation."""
        self._begin(self._correlated(work, correlation))

    async def finish(self, stopping: asyncio.Event) -> None:
        """Wait until the process shall end, and then for what is under way."""
        await stopping.wait()
        await self.rest()

    async def rest(self) -> None:
        """Wait for what is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def busy(self) -> bool:
        """Whether something is under way."""
        return bool(self._tasks)

    def _begin(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("an errand failed and waits to be taken up", exc_info=error)

    async def _correlated(self, work: Coroutine[Any, Any, object], correlation: str) -> None:
        async with self._places:
            with context.resume(correlation, timeout=_DAY):  # each call has a timeout of its own
                await work
