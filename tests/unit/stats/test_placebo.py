"""One stable pod against the others: an alarm where pods differ, silence where they don't."""

import numpy as np

from seatrial.stats import Placebo


def test_equal_pods_raise_no_alarm() -> None:
    random = np.random.default_rng(5)
    for _ in range(20):
        placebo = Placebo.of(0.01)
        for _ in range(120):
            pods = {name: (int(n := random.poisson(20)), int(random.binomial(n, 0.02))) for name in "abc"}
            placebo = placebo.observe(pods)
            assert not placebo.alarmed


def test_one_pod_that_fails_raises_an_alarm_that_ends_with_it() -> None:
    placebo = Placebo.of(0.01)
    for _ in range(20):
        placebo = placebo.observe({"a": (20, 4), "b": (20, 0)})
    assert placebo.alarmed
    looks = 0
    while placebo.alarmed:
        placebo = placebo.observe({"a": (20, 0), "b": (20, 0)})
        looks += 1
    assert looks <= 15


def test_an_outage_of_all_pods_is_no_alarm() -> None:
    placebo = Placebo.of(0.01)
    for _ in range(60):
        placebo = placebo.observe({"a": (20, 10), "b": (20, 10)})
    assert not placebo.alarmed


def test_pods_come_and_go_and_none_takes_a_place_twice() -> None:
    placebo = Placebo.of(0.01)
    for look in range(30):
        placebo = placebo.observe({f"pod-{look // 3 + n}": (10, 0) for n in range(12)})
        seated = [p for p in placebo.pods if p]
        assert len(seated) == len(set(seated)) == 8
    assert np.isfinite(placebo.wealth)


def test_a_single_pod_has_nothing_to_be_compared_with() -> None:
    placebo = Placebo.of(0.01)
    for _ in range(30):
        placebo = placebo.observe({"a": (20, 20)})
    assert placebo.wealth == 0
