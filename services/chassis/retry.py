"""Trying again: exponential backoff with full jitter, and never beyond the time that the request has.

A wait is drawn evenly from zero up to ``base · 2^n``, at most ``cap``. Fixed or slightly shaken waits bring all who
failed together back together; drawn from the whole range they arrive spread out, which is what lets the other side
recover. See Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

Only for calls that are safe to repeat, and not for calls inside the mesh, where the proxies retry already: two layers
of retries multiply.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from chassis import context

T = TypeVar("T")

BASE: Final = 0.1
CAP: Final = 30.0
_DOUBLINGS: Final = 64
"""More than enough to reach any cap, and few enough that the power stays a finite number."""


def wait_before(attempt: int, *, base: float = BASE, cap: float = CAP, draw: Callable[[], float]) -> float:
    """Seconds to wait before the ``attempt``-th repetition, counted from 0. ``draw`` gives a number in [0, 1)."""
    return min(cap, base * 2.0 ** min(attempt, _DOUBLINGS)) * draw()


class Backoff:
    """Waits that grow from failure to failure, until something went well."""

    def __init__(self, *, base: float = BASE, cap: float = CAP, draw: Callable[[], float] = random.random) -> None:
        self._base = base
        self._cap = cap
        self._draw = draw
        self._failures = 0

    def next(self) -> float:
        """Seconds to wait after one more failure."""
        seconds = wait_before(self._failures, base=self._base, cap=self._cap, draw=self._draw)
        self._failures += 1
        return seconds

    def reset(self) -> None:
        """It went well: the next failure is the first again."""
        self._failures = 0


async def retry(
    call: Callable[[], Awaitable[T]],
    *,
    attempts: int,
    retryable: Callable[[Exception], bool],
    base: float = BASE,
    cap: float = CAP,
) -> T:
    """Call until it goes well, at most ``attempts`` times, and give its result.

    The last failure is raised as it is: one that isn't ``retryable``, the one after which no attempt is left, or the
    one after which the request being served would have no time for another.
    """
    for attempt in range(attempts):
        try:
            return await call()
        except Exception as error:
            seconds = wait_before(attempt, base=base, cap=cap, draw=random.random)
            if attempt + 1 == attempts or not retryable(error) or _too_late(seconds):
                raise
        await asyncio.sleep(seconds)
    raise ValueError(f"attempts={attempts}: at least one is needed")


def _too_late(seconds: float) -> bool:
    request = context.current()
    return request is not None and request.remaining() <= seconds
