from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.bounds import binomial_bound, percentile

alphas = st.sampled_from([1e-6, 1e-3, 0.05, 0.5])


def below(count: int, trials: int, probability: Fraction) -> Fraction:
    """P(X < count), exactly."""
    q = 1 - probability
    return sum((comb(trials, k) * probability**k * q ** (trials - k) for k in range(count)), Fraction(0))


@given(st.integers(0, 120), st.integers(1, 99), alphas)
def test_both_tails_outside_of_the_bound_are_half_of_alpha_at_most(trials: int, percent: int, alpha: float) -> None:
    bound = binomial_bound(trials, percent / 100, alpha)
    p, half = Fraction(percent, 100), Fraction(alpha) / 2 * Fraction(1_000_001, 1_000_000)
    assert below(bound.low, trials, p) <= half
    assert 1 - below(bound.high + 1, trials, p) <= half


@given(st.integers(1, 120), st.integers(1, 99), alphas)
def test_no_narrower_bound_would_hold(trials: int, percent: int, alpha: float) -> None:
    bound = binomial_bound(trials, percent / 100, alpha)
    p, half = Fraction(percent, 100), Fraction(alpha) / 2 * Fraction(999_999, 1_000_000)
    assert bound.low == trials or below(bound.low + 1, trials, p) > half
    assert bound.high == 0 or 1 - below(bound.high, trials, p) > half


@given(st.integers(0, 5000), st.integers(0, 100))
def test_the_expected_count_lies_within(trials: int, percent: int) -> None:
    assert trials * percent // 100 in binomial_bound(trials, percent / 100)


@given(st.integers(0, 5000), st.integers(0, 100))
def test_the_bound_of_the_rest_mirrors_it(trials: int, percent: int) -> None:
    bound, rest = binomial_bound(trials, percent / 100), binomial_bound(trials, 1 - percent / 100)
    assert (rest.low, rest.high) == (trials - bound.high, trials - bound.low)


@pytest.mark.parametrize(("probability", "only"), [(0.0, 0), (1.0, 300)])
def test_what_is_sure_has_one_count(probability: float, only: int) -> None:
    bound = binomial_bound(300, probability)
    assert (bound.low, bound.high) == (only, only)


def test_a_large_run_is_bounded_too() -> None:
    bound = binomial_bound(200_000, 0.1)
    assert 19_000 < bound.low < 20_000 < bound.high < 21_000


@pytest.mark.parametrize(("probability", "alpha"), [(-0.1, 0.5), (1.1, 0.5), (0.5, 0), (0.5, 1)])
def test_what_is_no_probability_is_refused(probability: float, alpha: float) -> None:
    with pytest.raises(ValueError, match=r"probability|alpha"):
        binomial_bound(10, probability, alpha)


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0, 100))
def test_a_percentile_is_one_of_the_values_and_covers_its_share(values: list[float], percent: float) -> None:
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) >= len(values) * percent / 100 - 1e-9


@given(st.lists(st.floats(0, 100), min_size=1))
def test_the_hundredth_percentile_is_the_largest(values: list[float]) -> None:
    assert percentile(values, 100) == max(values)
    assert percentile(values, 0) == min(values)


def test_no_data_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)
