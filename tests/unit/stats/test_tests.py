"""The two promises, the power that they leave, and laws that hold for every sequence of looks."""

from itertools import pairwise
from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.stats import (
    Block,
    Plan,
    State,
    above_limit,
    allows,
    begin,
    evidence,
    largest_weight,
    lower,
    observe,
    share,
    take,
    upper,
    worse,
)

PLAN = Plan(weights=(10, 25, 50, 100))
COUNTS = st.integers(0, 20)
LOOKS = st.lists(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS, st.floats(0.1, 5.0)), max_size=25)


def run(plan: Plan, looks: list[tuple[int, int, int, int, float]]) -> list[State]:
    states = [begin(plan)]
    for canary, canary_bad, stable, stable_bad, seconds in looks:
        states.append(observe(plan, states[-1], Block(canary, canary_bad, stable, stable_bad, seconds)))
    return states


def simulate(
    canary: float, stable: float, *, plan: Plan, rates: tuple[float, float], looks: int, rollouts: int, seed: int = 7
) -> tuple[np.ndarray, np.ndarray, State]:
    """First look at which each rollout is rolled back (0: never), failures by then, and the last state."""
    random = np.random.default_rng(seed)
    state, found, failures = begin(plan, (rollouts,)), np.zeros(rollouts, int), np.zeros(rollouts)
    for look in range(1, looks + 1):
        n, m = random.poisson(rates[0], rollouts), random.poisson(rates[1], rollouts)
        bad = random.binomial(n, canary)
        state = observe(plan, state, Block(n, bad, m, random.binomial(m, stable)))
        failures += np.where(found == 0, bad, 0)
        found = np.where((found == 0) & worse(state, share(0.05)), look, found)
    return found, failures, state


def most(rollouts: int, promise: float = 0.05) -> float:
    """So many errors of so many rollouts keep the promise but for one chance in a million."""
    return rollouts * promise + 5 * sqrt(rollouts * promise * (1 - promise))


@pytest.mark.parametrize(("stable", "canary"), [(0.0, 0.01), (0.002, 0.009), (0.05, 0.06), (0.3, 0.31), (0.05, 0.05)])
@pytest.mark.parametrize("rates", [(2.5, 2.5), (5.0, 45.0)])
def test_a_revision_within_the_margin_is_hardly_ever_rolled_back(
    stable: float, canary: float, rates: tuple[float, float]
) -> None:
    found, _, _ = simulate(canary, stable, plan=Plan(terse=True), rates=rates, looks=200, rollouts=500)
    assert (found > 0).sum() <= most(500)


@pytest.mark.parametrize(("stable", "difference"), [(0.0, 0.02), (0.001, 0.02), (0.05, 0.02)])
def test_a_revision_beyond_the_margin_at_a_weight_hardly_ever_gets_it(stable: float, difference: float) -> None:
    plan = Plan(terse=True, limit=None)
    _, _, state = simulate(stable + difference, stable, plan=plan, rates=(10.0, 90.0), looks=300, rollouts=500)
    assert allows(plan, state, 50, share(0.05)).sum() <= most(500)
    assert allows(plan, state, 100, share(0.05)).sum() <= most(500)


def test_an_outage_that_both_share_counts_for_neither() -> None:
    plan, random, rollouts = Plan(terse=True), np.random.default_rng(3), 500
    state, rolled_back = begin(plan, (rollouts,)), np.zeros(rollouts, bool)
    for look in range(120):
        rate = 0.6 if 30 <= look < 45 else 0.001
        n, m = random.poisson(5, rollouts), random.poisson(45, rollouts)
        state = observe(plan, state, Block(n, random.binomial(n, rate), m, random.binomial(m, rate)))
        rolled_back |= worse(state, share(0.05, 0.6))
    assert rolled_back.sum() <= most(rollouts)


def test_thirty_percent_failures_are_found_by_the_third() -> None:
    found, failures, _ = simulate(0.3, 0.0005, plan=Plan(terse=True), rates=(5.0, 45.0), looks=60, rollouts=500)
    assert (found > 0).all()
    assert np.median(failures) <= 4
    assert np.median(found) <= 4


def test_a_revision_that_turns_bad_late_is_still_found_soon() -> None:
    plan, random, rollouts = Plan(terse=True), np.random.default_rng(3), 300
    state, found = begin(plan, (rollouts,)), np.zeros(rollouts, int)
    for look in range(1, 181):
        n, m = random.poisson(5, rollouts), random.poisson(45, rollouts)
        bad = random.binomial(n, 0.3 if look > 120 else 0.0)
        state = observe(plan, state, Block(n, bad, m, 0 * m))
        found = np.where((found == 0) & worse(state, share(0.05, 0.6)), look, found)
    assert (found > 120).all()
    assert np.median(found) <= 128


def test_without_failures_the_requests_until_a_weight_are_few() -> None:
    plan, state, requests = PLAN, begin(PLAN), 0
    while not allows(plan, state, 100, share(0.05)):
        state = observe(plan, state, Block(5, 0, 45, 0))
        requests += 5
    assert requests <= 1.2 * log(1 / share(0.05)) / -log(1 - plan.delta)


@given(looks=LOOKS)
@settings(max_examples=60, deadline=None)
def test_bounds_only_ever_tighten_and_wealth_is_finite(looks: list[tuple[int, int, int, int, float]]) -> None:
    states = run(PLAN, looks)
    for before, after in pairwise(states):
        assert lower(PLAN, after, 0.05) >= lower(PLAN, before, 0.05)
        assert upper(PLAN, after, 0.05) <= upper(PLAN, before, 0.05)
        assert evidence(after) >= evidence(before)
        assert np.isfinite(after.wealth).all()
        assert after.share.sum() == pytest.approx(len(after.wealth))


@given(looks=LOOKS)
@settings(max_examples=40, deadline=None)
def test_a_batch_does_what_its_rollouts_do_one_by_one(looks: list[tuple[int, int, int, int, float]]) -> None:
    single, batch = begin(PLAN), begin(PLAN, (2, 3))
    for canary, canary_bad, stable, stable_bad, seconds in looks:
        single = observe(PLAN, single, Block(canary, canary_bad, stable, stable_bad, seconds))
        batch = observe(PLAN, batch, Block(np.full((2, 3), canary), canary_bad, stable, stable_bad, seconds))
    assert np.allclose(batch.wealth, single.wealth)
    assert np.allclose(take(batch, (1, 2)).share, single.share)
    assert np.allclose(evidence(batch), evidence(single))
    assert (upper(PLAN, batch, 0.05) == upper(PLAN, single, 0.05)).all()


@given(looks=LOOKS, weight=st.sampled_from(PLAN.weights))
@settings(max_examples=60, deadline=None)
def test_a_weight_is_allowed_if_and_only_if_it_is_at_most_the_largest(
    looks: list[tuple[int, int, int, int, float]], weight: float
) -> None:
    state = run(PLAN, looks)[-1]
    assert bool(allows(PLAN, state, weight, 0.2)) == bool(largest_weight(PLAN, state, 0.2) >= weight * (1 - 1e-9))


def test_bounds_hold_the_truth_between_them() -> None:
    plan = Plan()
    _, _, state = simulate(0.08, 0.03, plan=plan, rates=(25.0, 25.0), looks=300, rollouts=60)
    low, high = lower(plan, state, 0.025), upper(plan, state, 0.025)
    assert ((low < 0.05) & (high > 0.05)).sum() >= 60 - most(60)
    assert np.median(low) > 0.025
    assert np.median(high) < 0.085


def test_who_is_much_worse_passes_the_bounds_below_equality_at_once() -> None:
    plan = Plan(limit=None)
    _, _, state = simulate(0.3, 0.05, plan=plan, rates=(5.0, 45.0), looks=14, rollouts=100)
    assert np.median(lower(plan, state, share(0.05))) > plan.delta


def test_silence_changes_nothing() -> None:
    state = observe(PLAN, begin(PLAN), Block(5, 1, 45, 0))
    later = observe(PLAN, state, Block(0, 0, 0, 0, seconds=3600))
    assert np.allclose(later.wealth, state.wealth)
    assert evidence(later) == pytest.approx(float(evidence(state)))


def test_requests_without_a_counterpart_wait_for_it() -> None:
    apart = run(PLAN, [(3, 2, 0, 0, 0.5), (0, 0, 30, 0, 0.5)])
    together = run(PLAN, [(3, 2, 30, 0, 1.0)])
    assert np.allclose(apart[1].wealth, 0)
    assert np.allclose(apart[-1].wealth, together[-1].wealth)


def test_requests_that_waited_too_long_are_compared_with_nothing() -> None:
    states = run(PLAN, [(0, 0, 30, 2, 11.0), (3, 2, 0, 0, 1.0)])
    assert np.allclose(states[-1].wealth, 0)


def test_requests_that_waited_too_long_show_nothing_of_a_canary_that_is_worse() -> None:
    wealth = run(PLAN, [(3, 2, 0, 0, 11.0), (0, 0, 30, 0, 1.0)])[-1].wealth
    assert (wealth < 1e-12).all()
    assert np.allclose(wealth[: len(PLAN.lower)], 0)


def test_the_limit_counts_alone_where_stable_has_no_traffic() -> None:
    states = run(PLAN, [(5, 2, 0, 0, 1.0)] * 4)
    assert worse(states[-1], 0.03)
    assert above_limit(states[-1], 0.03)
    assert lower(PLAN, states[-1], 0.03) == -1


def test_without_stable_traffic_what_the_canary_fails_bounds_the_difference() -> None:
    alone = run(PLAN, [(20, 0, 0, 0, 1.0)] * 30)[-1]
    beside = run(PLAN, [(20, 0, 20, 0, 1.0)] * 30)[-1]
    assert allows(PLAN, alone, 100, share(0.05))
    assert upper(PLAN, beside, share(0.05)) <= upper(PLAN, alone, share(0.05)) <= PLAN.delta * (1 + 1e-9)
    assert lower(PLAN, alone, share(0.05)) == -1


@pytest.mark.parametrize("canary", [0.02, 0.05])
def test_a_revision_that_fails_gets_no_weight_for_want_of_stable_traffic(canary: float) -> None:
    plan = Plan(terse=True, limit=None)
    _, _, state = simulate(canary, 0.0, plan=plan, rates=(10.0, 0.0), looks=300, rollouts=500)
    assert allows(plan, state, 100 * plan.delta / canary, share(0.05)).sum() <= most(500)
    assert allows(plan, state, 100, share(0.05)).sum() <= most(500)


def test_the_limit_is_ignored_while_stable_is_above_it() -> None:
    states = run(PLAN, [(0, 0, 100, 5, 1.0)] + [(5, 1, 10, 0, 1.0)] * 10)
    assert (states[-1].limit_wealth == 0).all()


def test_without_a_limit_only_the_comparison_counts() -> None:
    plan = Plan(limit=None)
    states = run(plan, [(5, 5, 0, 0, 1.0)] * 5)
    assert not worse(states[-1], 0.03)


def test_one_second_alone_rolls_nothing_back_unless_it_is_overwhelming() -> None:
    alpha = share(0.05, 0.6)
    before = [(0, 0, 450, 0, 10.0)]
    assert not worse(run(PLAN, [*before, (50, 10, 450, 0, 1.0)])[-1], alpha)
    assert worse(run(PLAN, [*before, (50, 40, 450, 0, 1.0)])[-1], alpha)


def test_what_a_quarter_of_a_minute_shows_at_once_is_enough() -> None:
    assert worse(run(PLAN, [(0, 0, 450, 0, 15.0), (50, 15, 450, 0, 15.0)])[-1], share(0.05, 0.6))


def test_what_was_shown_once_stays_shown_while_requests_wait_and_when_good_ones_follow() -> None:
    states = run(
        PLAN, [(0, 0, 450, 0, 10.0)] + [(5, 3, 45, 0, 1.0)] * 4 + [(0, 0, 45, 0, 1.0)] + [(50, 0, 45, 0, 1.0)] * 9
    )
    shown = [bool(worse(state, share(0.05, 0.6))) for state in states]
    assert shown == sorted(shown)
    assert shown[-1]


def test_a_million_requests_a_look_are_no_trouble() -> None:
    million = 1_000_000
    states = run(PLAN, [(million, bad, million, million // 2, 60.0) for bad in (million // 2, 0, million, 10)])
    assert np.isfinite(states[-1].wealth).all()
    assert np.isfinite(states[-1].share).all()


def test_more_bad_than_requests_counts_as_all() -> None:
    assert (run(PLAN, [(3, 9, 30, 0, 1.0)])[-1].wealth == run(PLAN, [(3, 3, 30, 0, 1.0)])[-1].wealth).all()


def test_the_shares_of_a_promise_sum_to_it() -> None:
    parts = (0.6, 0.2, 0.2)
    spent = sum(share(0.05, part, restarts) for part in parts for restarts in range(20000))
    assert 0.0499 < spent <= 0.05
    assert share(0.05, 1, 1) > share(0.05, 1, 2) > share(0.05, 1, 3)


@pytest.mark.parametrize("delta", [0.0001, 0.003, 0.01, 0.2, 0.5])
def test_margin_and_weights_are_hypotheses_of_every_plan(delta: float) -> None:
    plan = Plan(delta=delta, weights=(5, 33, 50, 100))
    assert plan.lower[plan.margin] == delta
    for weight in plan.weights:
        needed = 100 * delta / weight
        assert needed >= 1 or np.isclose(plan.upper, needed).any()
