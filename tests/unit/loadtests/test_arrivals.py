import math
from itertools import islice, pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loadtests.arrivals import SPACINGS, Spacing, Stage, arrivals, share
from loadtests.bounds import binomial_bound

stages = st.lists(
    st.builds(Stage, rate=st.floats(0, 200), seconds=st.floats(0, 5)),
    min_size=1,
    max_size=4,
)
spacings = st.sampled_from(SPACINGS)
seeds = st.integers(0, 2**32)


@given(stages, spacings, seeds)
def test_the_same_seed_gives_the_same_arrivals(laid: list[Stage], spacing: Spacing, seed: int) -> None:
    assert list(arrivals(laid, spacing=spacing, seed=seed)) == list(arrivals(laid, spacing=spacing, seed=seed))


@given(stages, spacings, seeds)
def test_arrivals_rise_and_lie_within_the_stages(laid: list[Stage], spacing: Spacing, seed: int) -> None:
    times = list(arrivals(laid, spacing=spacing, seed=seed))
    assert times == sorted(times)
    assert all(0 <= time <= sum(stage.seconds for stage in laid) * (1 + 1e-9) for time in times)


@given(stages, seeds)
def test_even_arrivals_are_as_many_as_the_rates_say(laid: list[Stage], seed: int) -> None:
    expected = sum(stage.expected for stage in laid)
    assert abs(len(list(arrivals(laid, spacing="constant", seed=seed))) - expected) <= 1


@given(stages, spacings, seeds, st.integers(1, 5))
def test_the_shares_of_all_workers_are_the_whole(laid: list[Stage], spacing: Spacing, seed: int, workers: int) -> None:
    def times() -> list[float]:
        return list(arrivals(laid, spacing=spacing, seed=seed))

    parts = [share(iter(times()), worker=worker, workers=workers) for worker in range(workers)]
    assert sorted(pair for part in parts for pair in part) == list(enumerate(times()))


@given(st.floats(1, 100), st.floats(0.5, 4), spacings, seeds)
def test_twice_the_rate_is_the_same_in_half_the_time(rate: float, seconds: float, spacing: Spacing, seed: int) -> None:
    slow = list(arrivals([Stage(rate, seconds)], spacing=spacing, seed=seed))
    fast = list(arrivals([Stage(2 * rate, seconds / 2)], spacing=spacing, seed=seed))
    assert fast == pytest.approx([time / 2 for time in slow])


@example(rate=9.0, cut=1, spacing="constant", seed=0)
@given(st.floats(1, 100), st.integers(1, 50), spacings, seeds)
def test_a_stage_that_is_cut_in_two_gives_the_same(rate: float, cut: int, spacing: Spacing, seed: int) -> None:
    def before_the_end(laid: list[Stage]) -> list[float]:
        """An arrival due at the very end falls on either side of it, by the last bit of a float."""
        return [time for time in arrivals(laid, spacing=spacing, seed=seed) if time < 5 - 1e-6]

    parts = [Stage(rate, 5 * cut / 51), Stage(rate, 5 - 5 * cut / 51)]
    assert before_the_end(parts) == pytest.approx(before_the_end([Stage(rate, 5)]))


@pytest.mark.parametrize("seed", range(20))
def test_random_arrivals_are_spread_over_the_stages_as_their_rates_are(seed: int) -> None:
    times = list(arrivals([Stage(100, 20), Stage(300, 20)], seed=seed))
    assert sum(time < 20 for time in times) in binomial_bound(len(times), 0.25)


def test_gaps_of_random_arrivals_vary_as_exponential_ones_do() -> None:
    times = list(islice(arrivals([Stage(50, math.inf)], seed=3), 20_001))
    gaps = [later - earlier for earlier, later in pairwise(times)]
    longer_than_the_mean = sum(gap > 1 / 50 for gap in gaps)
    assert longer_than_the_mean in binomial_bound(len(gaps), math.exp(-1))


def test_the_last_stage_may_last_for_ever() -> None:
    times = list(islice(arrivals([Stage(1, 2), Stage(10, math.inf)], spacing="constant"), 5))
    assert times == pytest.approx([0, 1, 2, 2.1, 2.2])


def test_nobody_arrives_at_rate_nought() -> None:
    assert list(arrivals([Stage(0, 10), Stage(1, 1.5)], spacing="constant")) == [10, 11]


@pytest.mark.parametrize(("rate", "seconds"), [(-1, 1), (math.nan, 1), (math.inf, 1), (1, -1), (1, math.nan)])
def test_a_stage_that_makes_no_sense_is_refused(rate: float, seconds: float) -> None:
    with pytest.raises(ValueError, match=r"rate|stage"):
        Stage(rate, seconds)


def test_a_worker_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no worker 2 among 2"):
        share(iter([]), worker=2, workers=2)
