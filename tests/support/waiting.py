"""Waiting for what takes time: one place that polls, always with a deadline, and says at the end what it last saw."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(check: Callable[[], T], *, within: float, every: float = 0.25, what: str = "") -> T:
    """Call `check` until it returns something true and raises no AssertionError, and give that.

    `within` and `every` are seconds. After the deadline an AssertionError tells what was waited for, and what was seen
    last instead. There is always a look at or after the deadline, so a slow `check` isn't the failure.
    """
    deadline = time.monotonic() + within
    while True:
        last_look = time.monotonic() >= deadline
        try:
            seen, why = check(), ""
        except AssertionError as not_yet:
            seen, why = None, str(not_yet)
        if seen:
            return seen
        if last_look:
            named = what or getattr(check, "__name__", "it")
            raise AssertionError(f"{named}: not within {within:g} s; last seen: {why or seen!r}")
        time.sleep(every)


def always(check: Callable[[], object], *, lasting: float, every: float = 0.25, what: str = "") -> None:
    """Look again and again for that many seconds: `check` must be true each time."""
    end = time.monotonic() + lasting
    while time.monotonic() < end:
        assert check(), f"{what or getattr(check, '__name__', 'it')}: not any more"
        time.sleep(every)
