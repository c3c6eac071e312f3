"""The theorem on top of `seatrial.stats`, checked by counting every outcome of small blocks."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.stats.bets import BETTER, WORSE, Comparisons, Gap, compare, exceed, project, temper

RATES = st.floats(0.0, 1.0)
GAPS = [Gap(0.0, 1), Gap(0.005, 1), Gap(0.04, 1), Gap(0.3, 1), Gap(0.6, 1)]


def binomial(requests: int, rate: float) -> np.ndarray:
    """Probability of each number of bad requests."""
    law = np.array([1.0])
    for _ in range(requests):
        law = np.convolve(law, [1 - rate, rate])
    return law


def mixed(rates: list[float]) -> np.ndarray:
    """The same for requests that don't share a rate."""
    law = np.array([1.0])
    for rate in rates:
        law = np.convolve(law, [1 - rate, rate])
    return law


def expected(bets: Comparisons, forecast: float, canary: np.ndarray, stable: np.ndarray) -> np.ndarray:
    """Mean of each bet's factor, over all outcomes of a block with these laws of bad requests."""
    of_canary, of_stable = len(canary) - 1, len(stable) - 1
    total = np.zeros(len(bets.prior))
    for bad_canary, bad_stable in product(range(of_canary + 1), range(of_stable + 1)):
        arms = [
            (np.array([float(n)]), np.array([float(k)])) for n, k in ((of_canary, bad_canary), (of_stable, bad_stable))
        ]
        total += canary[bad_canary] * stable[bad_stable] * np.exp(compare(bets, np.array([forecast]), arms[0], arms[1]))
    return total


@given(
    rates=st.tuples(RATES, RATES),
    margin=st.floats(-0.6, 0.6),
    forecast=RATES,
    requests=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    direction=st.sampled_from([WORSE, BETTER]),
)
@settings(max_examples=300, deadline=None)
def test_no_bet_gains_on_average_where_the_hypothesis_holds(
    rates: tuple[float, float], margin: float, forecast: float, requests: tuple[int, int], direction: float
) -> None:
    canary, stable = rates
    if direction * (canary - stable - margin) > 0:
        canary, stable = stable, canary
    if direction * (canary - stable - margin) > 0:
        return
    bets = Comparisons.of([(margin, direction, 0.0, GAPS)])
    means = expected(bets, forecast, binomial(requests[0], canary), binomial(requests[1], stable))
    assert (means <= 1 + 1e-9).all()


@given(canary=st.lists(RATES, min_size=1, max_size=4), stable=st.lists(RATES, min_size=1, max_size=4), forecast=RATES)
@settings(max_examples=200, deadline=None)
def test_requests_of_unequal_rates_count_by_their_mean(
    canary: list[float], stable: list[float], forecast: float
) -> None:
    difference = float(np.mean(canary) - np.mean(stable))
    if abs(difference) > 0.9:
        return
    bets = Comparisons.of([(difference, WORSE, 0.0, GAPS), (difference, BETTER, 0.0, GAPS)])
    assert (expected(bets, forecast, mixed(canary), mixed(stable)) <= 1 + 1e-9).all()


@given(rate=RATES, limit=st.floats(0.001, 0.5), requests=st.integers(1, 8))
def test_no_bet_on_the_limit_gains_on_average_within_it(rate: float, limit: float, requests: int) -> None:
    law = binomial(requests, rate * limit)
    alternatives = np.linspace(limit, 0.99, 5)
    bad = np.arange(requests + 1.0)[:, None]
    means = (law[:, None] * np.exp(exceed(limit, alternatives, np.array([[float(requests)]]), bad))).sum(axis=0)
    assert (means <= 1 + 1e-9).all()


@given(
    margin=st.floats(-0.3, 0.3),
    stable=st.floats(0.001, 0.3),
    gap=st.floats(0.005, 0.3),
    requests=st.tuples(st.integers(1, 1000), st.integers(1, 1000)),
    direction=st.sampled_from([WORSE, BETTER]),
)
def test_the_projection_is_about_as_near_as_a_search_finds(
    margin: float, stable: float, gap: float, requests: tuple[int, int], direction: float
) -> None:
    canary = min(max(stable + margin + direction * gap, 0.001), 0.999)
    low, high = max(1e-6, 1e-6 - margin), min(1 - 1e-6, 1 - 1e-6 - margin)

    def distance(x: float | np.ndarray) -> np.ndarray:
        def divergence(p: float, q: float | np.ndarray) -> np.ndarray:
            return np.asarray(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)))

        return np.asarray(requests[1] * divergence(stable, x) + requests[0] * divergence(canary, x + margin))

    found = project(*(np.array([v], dtype=float) for v in (margin, stable, canary, requests[1], requests[0])))[0]
    best = distance(np.linspace(low, high, 20001)).min()
    assert low - 1e-12 <= found <= high + 1e-12
    assert distance(found) <= best * 1.2 + 0.001 * sum(requests)


@given(growth=st.floats(-1e3, 1e3), requests=st.floats(1, 1e6), seconds=st.floats(0, 100))
def test_tempering_never_adds(growth: float, requests: float, seconds: float) -> None:
    tempered = temper(np.array([growth]), np.array([requests]), np.array([seconds]), 3.0, 0.5)[0]
    assert tempered <= growth
    assert tempered == growth or tempered >= 3.0


def test_a_certain_loss_never_takes_more_than_the_stake() -> None:
    bets = Comparisons.of([(d, way, 0.0, GAPS) for d in (-0.5, -0.01, 0.0, 0.01, 0.5) for way in (WORSE, BETTER)])
    for canary, stable, forecast in product((0, 1), (0, 1), (0.0, 0.01, 0.99, 1.0)):
        counts = [(np.array([3.0]), np.array([3.0 * bad])) for bad in (canary, stable)]
        assert np.isfinite(compare(bets, np.array([forecast]), counts[0], counts[1])).all()


@pytest.mark.parametrize(("bad", "good"), [(3.0, 2.0), (5.0, 0.0)])
def test_failures_of_the_canary_speak_for_worse_and_against_better(bad: float, good: float) -> None:
    bets = Comparisons.of([(0.01, WORSE, 0.0, [Gap(0.3, 1)]), (0.01, BETTER, 0.0, [Gap(0.01, 1)])])
    factors = compare(
        bets, np.array([0.001]), (np.array([bad + good]), np.array([bad])), (np.array([45.0]), np.array([0.0]))
    )
    assert factors[0] > 2
    assert factors[1] < -2
