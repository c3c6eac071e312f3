"""Keys waiting for a pass: never one key twice at a time, the earliest wish wins, failures back off.

Level-triggered: a key says that something changed and never what. A key that is added while its own pass runs is passed
again right after it.
"""

import asyncio
import heapq
import logging
import random
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_BACKOFF = 0.25
LONGEST_BACKOFF = 30.0
_FIRST = float("-inf")
LEAST_PAUSE = 0.05  # seconds between two passes of a key that takes longer than it wants to wait


class KeyedQueue(Generic[K]):
    """Runs `work(key)` for keys that are due, at most `workers` at once.

    `work` returns the seconds from its beginning after which it wants to look again (None: when something changes), and
    raises where the pass failed. `failed` is told of each failure: key, error, seconds until the next try. `waited` is
    told of each pass that didn't go first the seconds between when it was due and when it began.
    """

    def __init__(
        self,
        work: Callable[[K], Awaitable[float | None]],
        *,
        workers: int = 8,
        failed: Callable[[K, Exception, float], None] | None = None,
        waited: Callable[[float], None] = lambda _: None,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._work = work
        self._workers = workers
        self._failed = failed or _log
        self._waited = waited
        self._jitter = jitter
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._order = 0
        self._running: dict[K, asyncio.Task[None]] = {}
        self._failures: dict[K, int] = {}
        self._changed = asyncio.Event()

    @property
    def depth(self) -> int:
        """Keys that are due now and haven't begun."""
        now = _now()
        return sum(1 for due in self._due.values() if due <= now)

    @property
    def busy(self) -> int:
        """Passes under way."""
        return len(self._running)

    def add(self, key: K, after: float = 0.0, *, first: bool = False) -> None:
        """Pass `key` in `after` seconds; an earlier wish that is there already stays. `first`: before all that wait."""
        due = _FIRST if first else _now() + after
        if key in self._due and self._due[key] <= due:
            return
        self._due[key] = due
        self._order += 1
        heapq.heappush(self._heap, (due, self._order, key))
        self._changed.set()

    async def run(self) -> None:
        """Work until cancelled; then the passes under way are cancelled too, and ended when this returns."""
        try:
            while True:
                self._changed.clear()
                wait = self._start_due()
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._changed.wait()
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _start_due(self) -> float | None:
        """Start all that may start; returns the seconds until the next key is due, None where only a change helps."""
        later: list[tuple[float, int, K]] = []
        wait = None
        while self._heap and len(self._running) < self._workers:
            due, order, key = self._heap[0]
            if self._due.get(key) != due:  # replaced by an earlier wish
                heapq.heappop(self._heap)
            elif due > _now():
                wait = due - _now()
                break
            else:
                heapq.heappop(self._heap)
                if key in self._running:
                    later.append((due, order, key))
                else:
                    del self._due[key]
                    if due != _FIRST:
                        self._waited(_now() - due)
                    self._running[key] = asyncio.create_task(self._pass(key), name=f"pass {key}")
        for entry in later:
            heapq.heappush(self._heap, entry)
        return wait

    async def _pass(self, key: K) -> None:
        began = _now()
        try:
            after = await self._work(key)
        except Exception as error:  # noqa: BLE001 # whatever went wrong, the key is tried again and the cause is told
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            longest = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(failures - 1, 16))
            after = self._jitter(longest / 2, longest)
            self._failed(key, error, after)
        else:
            self._failures.pop(key, None)
            after = None if after is None else max(after - (_now() - began), LEAST_PAUSE)
        finally:
            del self._running[key]
            self._changed.set()
        if after is not None:
            self.add(key, after)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _log(key: object, error: Exception, after: float) -> None:
    logging.getLogger(__name__).error("pass of %s failed, again in %.1f s", key, after, exc_info=error)
