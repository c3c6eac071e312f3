"""Circuit breaker: stops calling what keeps failing, so that callers get their fallback at once and it can recover.

Closed, calls pass; so many failures within so many seconds open it, whatever succeeded in between. Open, every call is
refused for a while. Then one probe at a time may pass, and enough of them in a row close it again; one that fails opens
it for the whole while.

Not around calls to a service's own database: there is no fallback for it, and the pool bounds the calls already. Not
instead of a deadline: a call that hangs is no failure before it ends.
"""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from math import ceil

import httpx

from chassis.bulkhead import Full
from chassis.problems import Problem

_log = logging.getLogger(__name__)


class State(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class Policy:
    """When a breaker opens and closes. Times are in seconds."""

    failures: int = 5
    within: float = 10.0
    open_for: float = 60.0
    successes: int = 3

    def __post_init__(self) -> None:
        if min(self.failures, self.successes) < 1 or min(self.within, self.open_for) <= 0:
            raise ValueError(f"{self}: counts are at least 1, and times more than 0")


class Open(Problem):
    """The breaker is open: the call wasn't made."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"{name} has kept failing and isn't called for now.",
            kind="circuit-open",
            title="Circuit open",
            headers={"retry-after": str(max(1, ceil(seconds)))},
            breaker=name,
        )


class Attempt:
    """One call that a breaker has let pass. Its outcome counts only where the breaker stands as it stood then."""

    def __init__(self, era: int) -> None:
        self.era = era
        self.failed: bool | None = False

    def fail(self) -> None:
        """The call failed, by an answer or by an exception that doesn't say so itself."""
        self.failed = True

    def abstain(self) -> None:
        """How the call went tells nothing about the other side: it never had a fair chance."""
        self.failed = None


class Breaker:
    """The breaker of one endpoint. All who call it in this process share it; it is for one event loop."""

    def __init__(self, name: str, policy: Policy | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.refused = 0
        self.moves: Counter[State] = Counter()
        """How often it moved to each state."""
        self._policy = policy or Policy()
        self._clock = clock
        self._state = State.CLOSED
        self._era = 0  # rises with each move: what was begun in an earlier era says nothing about this one
        self._failed_at: deque[float] = deque(maxlen=self._policy.failures)
        self._opened_at = 0.0
        self._probing = False
        self._good_probes = 0

    @property
    def state(self) -> State:
        """Where it stands now."""
        if self._state is State.OPEN and self._clock() - self._opened_at >= self._policy.open_for:
            self._move(State.HALF_OPEN)
        return self._state

    @contextmanager
    def attempt(self) -> Iterator[Attempt]:
        """Make a call in this block, if the breaker lets it pass. Raises ``Open`` if not.

        It failed when the block said so (``Attempt.fail``), or left by an exception that says that the other side
        failed (``failed``). An exception that tells nothing about the other side changes nothing.
        """
        attempt = self._admit()
        try:
            yield attempt
        except Exception as error:
            self._report(attempt, failed=failed(error) if attempt.failed is False else attempt.failed)
            raise
        except BaseException:  # nobody waits for it any more
            self._report(attempt, failed=None)
            raise
        else:
            self._report(attempt, failed=attempt.failed)

    def _admit(self) -> Attempt:
        state = self.state
        if state is State.OPEN or (state is State.HALF_OPEN and self._probing):
            self.refused += 1
            raise Open(self.name, self._opened_at + self._policy.open_for - self._clock())
        self._probing = state is State.HALF_OPEN
        return Attempt(self._era)

    def _report(self, attempt: Attempt, *, failed: bool | None) -> None:
        if attempt.era != self._era:
            return
        self._probing = False
        if failed is None:
            return
        if self._state is State.HALF_OPEN:
            self._good_probes = 0 if failed else self._good_probes + 1
            if failed:
                self._move(State.OPEN)
            elif self._good_probes == self._policy.successes:
                self._move(State.CLOSED)
        elif failed:
            now = self._clock()
            self._failed_at.append(now)
            if len(self._failed_at) == self._policy.failures and now - self._failed_at[0] <= self._policy.within:
                self._move(State.OPEN)

    def _move(self, new: State) -> None:
        old, self._state = self._state, new
        self._era += 1
        self.moves[new] += 1
        self._failed_at.clear()
        self._good_probes = 0
        self._probing = False
        if new is State.OPEN:
            self._opened_at = self._clock()
        _log.warning("breaker moved", extra={"breaker": self.name, "was": old.value, "is": new.value})


def failed(error: Exception) -> bool | None:
    """Whether an exception says that the other side failed; None where it tells nothing about it.

    An answer that the request is wrong is an answer: the other side is well. A refusal by a breaker or a bulkhead of
    our own, or a bug, comes from this side.
    """
    if isinstance(error, Open | Full):
        return None
    if isinstance(error, Problem):
        return error.status >= HTTPStatus.INTERNAL_SERVER_ERROR or error.status == HTTPStatus.TOO_MANY_REQUESTS
    return True if isinstance(error, OSError | httpx.TransportError) else None
