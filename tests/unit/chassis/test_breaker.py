"""The laws of the circuit breaker, on a clock of the test's own."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chassis.breaker import Attempt, Breaker, Open, Policy, State
from chassis.bulkhead import Full
from chassis.problems import Problem


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    """A breaker and its clock."""

    policy: Policy = field(default_factory=Policy)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.breaker = Breaker("bank", self.policy, clock=self.clock)

    def stands(self) -> State:
        """Where it stands now."""
        return self.breaker.state

    def call(self, *, fails: bool = False) -> bool:
        """Make a call; whether it was made."""
        with suppress(Open), self.breaker.attempt() as attempt:
            if fails:
                attempt.fail()
            return True
        return False

    def ended_by(self, error: BaseException) -> bool:
        """Make a call that ends by an exception; whether it was made."""
        made = []
        with suppress(Open, type(error)), self.breaker.attempt():
            made.append(True)
            raise error
        return bool(made)

    def opened(self) -> "Bench":
        for _ in range(self.policy.failures):
            self.call(fails=True)
        assert self.stands() is State.OPEN
        return self

    def half_open(self) -> "Bench":
        self.opened().clock.now += self.policy.open_for
        assert self.stands() is State.HALF_OPEN
        return self


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_five_failures_within_ten_seconds_open_it(bench: Bench) -> None:
    for _ in range(4):
        bench.call(fails=True)
        bench.clock.now += 2.4
    assert bench.stands() is State.CLOSED
    bench.call(fails=True)
    assert bench.stands() is State.OPEN


def test_failures_further_apart_do_not(bench: Bench) -> None:
    """A counter that only a success resets would open on the fifth failure of a week."""
    for _ in range(50):
        bench.call(fails=True)
        bench.clock.now += 2.6
    assert bench.stands() is State.CLOSED


def test_successes_in_between_do_not_hide_failures(bench: Bench) -> None:
    """A counter that each success resets never opens for what fails half of the time."""
    for _ in range(5):
        bench.call(fails=True)
        bench.call()
    assert bench.stands() is State.OPEN


def test_an_open_one_refuses_at_once_and_says_when_to_come_again(bench: Bench) -> None:
    bench.opened().clock.now += 12.5
    with pytest.raises(Open) as refused, bench.breaker.attempt():
        pytest.fail("the call was made")
    assert (refused.value.status, refused.value.headers) == (503, {"retry-after": "48"})
    assert bench.breaker.refused == 1


def test_half_open_lets_one_probe_pass_at_a_time(bench: Bench) -> None:
    """Without a probe's place of its own, all that had waited would fall upon a service that is just getting up."""
    bench.half_open()
    with bench.breaker.attempt():
        assert [bench.call() for _ in range(20)] == [False] * 20
    assert bench.call(), "the next probe"


def test_three_good_probes_in_a_row_close_it(bench: Bench) -> None:
    """One success isn't recovery."""
    bench.half_open()
    for _ in range(2):
        bench.call()
        assert bench.stands() is State.HALF_OPEN
    bench.call()
    assert bench.stands() is State.CLOSED


def test_a_probe_that_fails_opens_it_for_the_whole_time_again(bench: Bench) -> None:
    bench.half_open()
    bench.call()
    bench.call()
    bench.call(fails=True)
    bench.clock.now += 59.9
    assert bench.stands() is State.OPEN
    bench.clock.now += 0.1
    bench.call()
    bench.call()
    assert bench.stands() is State.HALF_OPEN, "good probes of before don't count"


def test_failures_of_before_do_not_open_it_after_it_has_closed(bench: Bench) -> None:
    bench.half_open()
    for _ in range(3):
        bench.call()
    for _ in range(4):
        bench.call(fails=True)
    assert bench.stands() is State.CLOSED


def test_a_call_from_before_it_opened_neither_closes_it_nor_keeps_it_open(bench: Bench) -> None:
    """Slow calls end long after others have opened it: their outcome is about then."""
    late = [bench.breaker.attempt() for _ in range(6)]
    begun = [one.__enter__() for one in late]
    bench.half_open()
    for one in late[:3]:
        one.__exit__(None, None, None)
    assert bench.stands() is State.HALF_OPEN
    for one, attempt in zip(late[3:], begun[3:], strict=True):
        attempt.fail()
        one.__exit__(None, None, None)
    assert bench.stands() is State.HALF_OPEN
    with bench.breaker.attempt():
        assert not bench.call(), "a late end doesn't give the probe's place to a second one"


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyError("a bug of ours"), Full("bank", 3)])
def test_what_tells_nothing_about_the_other_side_changes_nothing_and_frees_the_place(error: BaseException) -> None:
    bench = Bench()
    for _ in range(10):
        bench.ended_by(error)
    assert bench.stands() is State.CLOSED
    bench.half_open()
    for _ in range(10):
        assert bench.ended_by(error)
    assert bench.stands() is State.HALF_OPEN


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ConnectionRefusedError(), State.OPEN),
        (TimeoutError(), State.OPEN),
        (httpx.ReadError("reset"), State.OPEN),
        (Problem(502, "no"), State.OPEN),
        (Problem(429, "slower"), State.OPEN),
        (Problem(404, "unknown order"), State.CLOSED),
        (Problem(402, "declined"), State.CLOSED),
    ],
)
def test_an_answer_that_the_request_is_wrong_is_no_failure(error: Exception, state: State) -> None:
    bench = Bench()
    for _ in range(5):
        bench.ended_by(error)
    assert bench.stands() is state


def test_who_had_no_fair_chance_may_abstain(bench: Bench) -> None:
    for _ in range(9):
        with suppress(TimeoutError), bench.breaker.attempt() as attempt:
            attempt.abstain()
            raise TimeoutError
    assert bench.stands() is State.CLOSED


@pytest.mark.parametrize("wrong", [{"failures": 0}, {"successes": 0}, {"within": 0.0}, {"open_for": -1.0}])
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Policy(**wrong)  # type: ignore[arg-type]


async def test_of_many_tasks_one_probes() -> None:
    bench = Bench().half_open()
    made = 0

    async def call() -> None:
        nonlocal made
        with bench.breaker.attempt():
            made += 1
            await asyncio.sleep(0)

    results = await asyncio.gather(*(call() for _ in range(100)), return_exceptions=True)
    assert made == 1
    assert sum(isinstance(one, Open) for one in results) == 99


class Model(RuleBasedStateMachine):
    """Any story of calls that overlap, end well or badly or not at all, on any clock that doesn't go back."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(Policy(failures=3, within=10, open_for=30, successes=2))
        self.under_way: list[tuple[State, object, Attempt]] = []
        self.opened_at: float | None = None

    @rule(seconds=st.floats(0, 40))
    def wait(self, seconds: float) -> None:
        self.bench.clock.now += seconds

    @rule()
    def begin(self) -> None:
        state = self.bench.breaker.state
        context = self.bench.breaker.attempt()
        try:
            attempt = context.__enter__()
        except Open:
            assert state is not State.CLOSED
        else:
            assert state is not State.OPEN
            self.under_way.append((state, context, attempt))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), how=st.sampled_from(["well", "badly", "cancelled"]))
    def end(self, data: st.DataObject, how: str) -> None:
        index = data.draw(st.integers(0, len(self.under_way) - 1))
        _, context, attempt = self.under_way.pop(index)
        if how == "badly":
            attempt.fail()
        error = asyncio.CancelledError() if how == "cancelled" else None
        try:
            context.__exit__(type(error) if error else None, error, None)  # type: ignore[attr-defined]
        except asyncio.CancelledError:
            assert how == "cancelled"

    @invariant()
    def at_most_one_probe_is_under_way_in_this_era(self) -> None:
        breaker = self.bench.breaker
        now = [attempt for _, _, attempt in self.under_way if attempt.era == breaker._era]
        if breaker.state is State.HALF_OPEN:
            assert len(now) <= 1

    @invariant()
    def open_lasts_exactly_as_long_as_it_shall(self) -> None:
        breaker = self.bench.breaker
        if breaker.state is State.OPEN:
            assert 0 <= self.bench.clock.now - breaker._opened_at < 30
        assert breaker.moves[State.CLOSED] <= breaker.moves[State.HALF_OPEN] <= breaker.moves[State.OPEN]


TestModel = Model.TestCase


@given(st.lists(st.floats(0, 20), min_size=1, max_size=40))
def test_it_opens_with_the_first_failure_that_is_the_fifth_within_ten_seconds(gaps: list[float]) -> None:
    bench = Bench()
    times: list[float] = []
    for gap in gaps:
        bench.clock.now += gap
        bench.call(fails=True)
        times.append(bench.clock.now)
        if bench.stands() is State.OPEN:
            break
    due = [index for index in range(4, len(times)) if times[index] - times[index - 4] <= 10]
    assert (bench.stands() is State.OPEN) == bool(due)
    assert not due or due == [len(times) - 1]
