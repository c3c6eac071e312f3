"""Counters as Prometheus has them: nothing is counted twice, nothing is lost, whatever is scraped and asked when."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from seatrial.evidence.prometheus_api import Series
from seatrial.evidence.prometheus_growth import Growing, target_of
from seatrial.evidence.prometheus_queries import PATIENCE, Cumulative

TARGET = {"job": "proxies", "instance": "10.0.0.1:15090"}
rises = st.lists(st.integers(0, 50), min_size=2, max_size=30)


def series(values: Sequence[tuple[float, float]], **labels: str) -> Series:
    return Series(TARGET | labels, tuple(values))


def cumulative(steps: Sequence[int], start: int = 0) -> list[tuple[float, float]]:
    """A sample a second."""
    total, samples = start, []
    for at, step in enumerate(steps):
        total += step
        samples.append((float(at), float(total)))
    return samples


@given(rises, st.integers(1, 5), st.data())
def test_what_is_counted_is_what_came_since_the_first_look(steps: list[int], window: int, data: st.DataObject) -> None:
    samples, growing = cumulative(steps, start=1000), Growing()
    looks = [*sorted(data.draw(st.sets(st.integers(1, len(samples)), min_size=1))), len(samples)]
    counted = 0
    for look, before in zip(looks, [looks[0], *looks], strict=False):
        found = [series(samples[max(0, min(before, look) - window) : look])]
        counted += sum(g.by for g in growing.take(found, {}).series)
    assert counted == sum(steps[looks[0] :])


@given(rises, st.data())
def test_replicas_that_are_some_seconds_apart_are_no_restarts(steps: list[int], data: st.DataObject) -> None:
    samples, growing = cumulative(steps), Growing()
    shown = data.draw(st.lists(st.integers(1, len(samples)), min_size=1, max_size=20))
    growing.take([series(samples[:1])], {})
    for upto in shown:
        grown = growing.take([series(samples[:upto])], {})
        assert not grown.fell
    rest = growing.take([series(samples)], {})
    assert rest.series[0].total == sum(steps)


@given(rises, rises)
def test_a_restart_is_counted_from_zero_and_named(before: list[int], after: list[int]) -> None:
    growing, old = Growing(), cumulative(before, start=10_000)
    growing.take([series(old[:1])], {})
    new = [(at + len(old), value) for at, value in cumulative(after)]
    grown = growing.take([series([*old, *new])], {})
    assert grown.series[0].by == sum(before[1:]) + sum(after)
    assert grown.fell == {target_of(series(old))}


def test_a_series_that_is_new_at_a_known_target_began_at_zero() -> None:
    growing = Growing()
    growing.take([series([(1, 100)], code="200")], {})
    grown = growing.take([series([(1, 100), (2, 101)], code="200"), series([(2, 7)], code="503")], {})
    assert sorted(g.by for g in grown.series) == [1, 7]


def test_a_target_that_is_as_new_as_its_series_begins_with_what_it_has() -> None:
    growing = Growing()
    growing.take([], {})
    found = [series([(5, 900), (6, 903)])]
    assert growing.strangers(found) == [target_of(found[0])]
    assert [g.by for g in growing.take(found, {}).series] == [3]


def test_a_target_that_was_scraped_without_the_series_had_nothing_then() -> None:
    growing = Growing()
    growing.take([], {})
    found = [series([(5, 9), (6, 12)])]
    assert [g.by for g in growing.take(found, {target_of(found[0]): 4.0}).series] == [12]


def test_a_proxy_begins_anew_at_its_other_port_when_the_one_is_gone() -> None:
    growing = Growing()
    one, other = series([(1, 10)]), Series(TARGET | {"instance": "10.0.0.1:15020"}, ((1.0, 10.0),))
    assert growing.once([one, other]) == [other]
    growing.take([other], {})
    gone = growing.once([series([(1, 10), (2, 15)])])
    assert growing.strangers(gone) == []
    assert [g.by for g in growing.take(gone, {}).series] == [0]
    assert [g.by for g in growing.take([series([(2, 15), (3, 17)])], {}).series] == [2]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=30))
def test_bad_ones_that_are_known_early_wait_for_their_requests(steps: list[tuple[int, int]]) -> None:
    counts, total, bad, all_total, all_bad = Cumulative(0, 0), 0, 0, 0, 0
    for now, (more, worse) in enumerate(steps):
        total, bad = total + more, bad + worse
        grown, failed = counts.advance(total, bad, float(now))
        assert 0 <= failed <= grown
        all_total, all_bad = all_total + grown, all_bad + failed
    assert all_total == total
    assert all_bad <= bad
    grown, failed = counts.advance(total + bad, bad, 100.0)
    assert all_bad + failed == bad


def test_a_value_that_falls_counts_again_once_it_is_as_high_or_after_a_minute() -> None:
    counts = Cumulative(100, 10)
    assert counts.advance(90, 9, 0.0) == (0, 0)
    assert counts.complaint(5.0) == ""
    assert counts.advance(103, 10, 6.0) == (3, 0)
    assert counts.advance(50, 5, 10.0) == (0, 0)
    assert "fell below 103 and 10" in counts.complaint(20.0)
    assert counts.advance(60, 6, 10.0 + PATIENCE) == (0, 0)
    assert counts.advance(65, 7, 11.0 + PATIENCE) == (5, 1)
