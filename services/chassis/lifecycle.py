"""Where a process is in its life, and when it may end.

An end that loses no request has three parts. On SIGTERM the process says that it isn't ready, and goes on serving, for
callers learn of it a moment later; each answer tells its connection to close, so callers move elsewhere one answer at a
time, never in the middle of one. When callers had their time and nothing arrives any more, the process stops
listening. What is under way then is finished. Decides only, on a clock that it is given; ``server`` acts on it.
"""

from collections.abc import Callable
from typing import Final

_QUIET: Final = 0.5
"""Seconds without a request after which no caller is taken to send here any more."""


class Lifecycle:
    """State of one process. ``settle`` and ``drain`` are the least and the most seconds from SIGTERM to the end."""

    def __init__(self, *, settle: float, drain: float, clock: Callable[[], float]) -> None:
        self._settle = settle
        self._drain = drain
        self._clock = clock
        self._started = False
        self._draining_since: float | None = None
        self._last_end = clock()
        self._on_drain: list[Callable[[], None]] = []
        self.in_flight = 0
        self.failed = False

    @property
    def ready(self) -> bool:
        """Whether callers should send requests here."""
        return self._started and not self.draining

    @property
    def started(self) -> bool:
        """Whether everything that requests need was there once."""
        return self._started

    @property
    def draining(self) -> bool:
        """Whether the process is on its way out."""
        return self._draining_since is not None

    def start(self) -> None:
        """Everything that requests need is there."""
        self._started = True

    def begin_drain(self) -> None:
        """The process was asked to end. Asking again changes nothing."""
        if self._draining_since is None:
            self._draining_since = self._clock()

    def on_drain(self, act: Callable[[], None]) -> None:
        """Do this in the event loop once the process was asked to end."""
        self._on_drain.append(act)

    def announce_drain(self) -> None:
        """The event loop has noticed that the process is to end."""
        for act in self._on_drain:
            act()

    def fail(self) -> None:
        """The process can't do its work any more: it ends as if asked to, but with an error."""
        self.failed = True
        self.begin_drain()

    def begin_request(self) -> None:
        """A request is under way from now on."""
        self.in_flight += 1

    def end_request(self) -> None:
        """A request is over, however it went."""
        self.in_flight -= 1
        self._last_end = self._clock()

    def may_stop(self) -> bool:
        """Whether the process may stop listening now."""
        if self._draining_since is None:
            return False
        elapsed = self._clock() - self._draining_since
        quiet = self._clock() - self._last_end >= min(_QUIET, self._settle)
        return elapsed >= self._drain or (elapsed >= self._settle and self.in_flight == 0 and quiet)

    def time_left(self) -> float:
        """Seconds until the drain time is over, 1 at least: for requests under way when listening stops."""
        elapsed = 0.0 if self._draining_since is None else self._clock() - self._draining_since
        return max(1.0, self._drain - elapsed)
