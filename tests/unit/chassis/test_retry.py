"""Backoff with full jitter: its law, and that nobody waits for what comes too late."""

import asyncio
import random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import context
from chassis.retry import Backoff, retry, wait_before
from support.clock import now, virtually


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_wait_is_between_nothing_and_the_doubled_base_and_never_above_the_cap(attempt: int, draw: float) -> None:
    wait = wait_before(attempt, draw=lambda: draw)
    assert 0 <= wait <= min(30.0, 0.1 * 2 ** min(attempt, 20))


@given(st.integers(0, 100))
def test_all_of_that_range_is_used(attempt: int) -> None:
    """Jitter that is only added on top leaves a gap in which nobody arrives, and then all do."""
    ceiling = wait_before(attempt, draw=lambda: 1.0)
    assert ceiling == min(30.0, 0.1 * 2**attempt)
    assert wait_before(attempt, draw=lambda: 0.0) == 0.0
    assert wait_before(attempt, draw=lambda: 0.5) == ceiling / 2


def test_those_who_failed_together_do_not_come_back_together() -> None:
    rng = random.Random(1)  # noqa: S311 - jitter isn't secret
    arrivals = sorted(wait_before(3, draw=rng.random) for _ in range(1000))
    assert arrivals[0] < 0.01
    assert arrivals[-1] > 0.79
    assert mean(arrivals) == pytest.approx(0.4, abs=0.02)
    busiest = max(sum(start <= one < start + 0.08 for one in arrivals) for start in (k * 0.08 for k in range(10)))
    assert busiest < 140, "a tenth of the time holds about a tenth of them"


def test_backoff_grows_until_something_goes_well() -> None:
    backoff = Backoff(base=1, cap=5, draw=lambda: 1.0)
    assert [backoff.next() for _ in range(4)] == [1, 2, 4, 5]
    backoff.reset()
    assert backoff.next() == 1


class Flaky:
    """Fails so many times, then answers."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.called_at: list[float] = []

    async def __call__(self) -> str:
        self.called_at.append(now())
        if len(self.called_at) <= self.failures:
            raise ConnectionRefusedError(f"no {len(self.called_at)}")
        return "answer"


def anything(_: Exception) -> bool:
    return True


def test_it_calls_until_it_is_answered() -> None:
    call = Flaky(3)
    assert virtually(retry(call, attempts=5, retryable=anything)) == "answer"
    assert len(call.called_at) == 4


def test_the_last_failure_is_raised_as_it_was() -> None:
    call = Flaky(9)
    with pytest.raises(ConnectionRefusedError, match="no 3"):
        virtually(retry(call, attempts=3, retryable=anything))


def test_there_is_no_wait_after_the_last_attempt() -> None:
    async def lasting() -> float:
        with pytest.raises(ConnectionRefusedError):
            await retry(Flaky(9), attempts=1, retryable=anything)
        return now()

    assert virtually(lasting()) == 0


def test_what_will_not_mend_itself_is_not_tried_again() -> None:
    call = Flaky(9)
    with pytest.raises(ConnectionRefusedError, match="no 1"):
        virtually(retry(call, attempts=5, retryable=lambda error: not isinstance(error, ConnectionError)))


def test_a_request_without_time_for_another_attempt_gets_the_failure_now() -> None:
    call = Flaky(9)

    async def served() -> float:
        with context.resume("r-1", timeout=0.0), pytest.raises(ConnectionRefusedError, match="no 1"):
            await retry(call, attempts=5, retryable=anything)
        return now()

    assert virtually(served()) == 0


def test_an_end_is_not_taken_for_a_failure() -> None:
    async def ended() -> None:
        raise asyncio.CancelledError

    calls = 0

    async def call() -> None:
        nonlocal calls
        calls += 1
        await ended()

    async def cancelled() -> None:
        with pytest.raises(asyncio.CancelledError):
            await retry(call, attempts=5, retryable=anything)

    virtually(cancelled())
    assert calls == 1


async def test_no_attempt_at_all_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one"):
        await retry(Flaky(0), attempts=0, retryable=anything)
