"""The laws of counting at one proxy, for requests of all kinds at any time, as Envoy would tell of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.evidence.caller import Caller, When
from seatrial.evidence.figures import Figures, Page
from seatrial.evidence.reading import read_requests
from seatrial.rollout.evidence import Tally

T = 300.0  # milliseconds
READ = partial(read_requests, slower_than=T)
QUIET = 12  # seconds after which all is flushed, and what was counted ahead has come

End = Literal["ok", "error", "timeout", "reset", "cut", "gone"]


@dataclass(frozen=True)
class Request:
    """From when to when, in seconds, with how many retried answers of 503 before its end."""

    start: float
    seconds: float
    end: End
    retries: int = 0

    @property
    def stop(self) -> float:
        return self.start + self.seconds

    @property
    def fails(self) -> bool:
        return self.end != "ok"

    @property
    def slow(self) -> bool:
        """As the histogram has it; without a whole answer it is slow."""
        return self.end not in ("ok", "error") or self.seconds * 1000 > T


def told(requests: Sequence[Request], at: float, *, up_since: float = 0.0, flush: float = 1.0) -> Page:
    """What an Envoy that began at `up_since` says at a moment of the requests it saw."""
    counts: Counter[str] = Counter()
    codes: Counter[int] = Counter()
    retried: Counter[int] = Counter()
    within: Counter[float] = Counter({T: 0})
    flushed = at // flush * flush
    for request in requests:
        if not up_since <= request.start <= at:
            continue
        counts["upstream_rq_total"] += 1 + request.retries
        counts["upstream_rq_retry"] += request.retries
        retried[503] += request.retries
        if request.stop > at:
            counts["upstream_rq_active"] += 1
            continue
        if request.end == "timeout":
            counts["upstream_rq_timeout"] += 1
        if request.end in ("reset", "cut"):
            counts["upstream_rq_rx_reset"] += 1
        if request.end != "gone":
            codes[{"ok": 200, "cut": 200, "error": 500, "timeout": 504, "reset": 503}[request.end]] += 1
        if request.end in ("ok", "error") and request.stop <= flushed:
            counts["upstream_rq_time_count"] += 1
            within[T] += request.seconds * 1000 <= T
    if not counts and not codes:
        return Page({}, flushed - up_since)
    return Page({1: Figures(counts, codes, retried, Counter(), within)}, max(0.0, flushed - up_since))


def looks(requests: Sequence[Request], *, until: float, caller: Caller | None = None) -> Iterator[tuple[float, Tally]]:
    """Look every second; the first one begins."""
    caller = caller or Caller(READ, T)
    for second in range(int(until) + 1):
        change = caller.take(told(requests, second), When(second, second), since=0.0)
        assert not change.suspect
        yield second, change.tallies.get(1, Tally())


def total(requests: Sequence[Request], *, until: float = 40.0) -> Tally:
    return sum((tally for _, tally in looks(requests, until=until)), Tally())


REQUESTS = st.lists(
    st.builds(
        Request,
        start=st.floats(0.01, 20),
        seconds=st.floats(0.001, 8),
        end=st.sampled_from(["ok", "error", "timeout", "reset", "cut", "gone"]),
        retries=st.integers(0, 3),
    ),
    max_size=40,
)


@given(REQUESTS)
@settings(max_examples=200, deadline=None)
def test_when_all_has_ended_no_failure_is_counted_twice(requests: list[Request]) -> None:
    counted = total(requests)
    assert counted.requests == len(requests)
    assert counted.attempts == sum(1 + r.retries for r in requests)
    assert counted.failed <= sum(r.fails for r in requests)
    assert counted.failed >= sum(r.end in ("error", "timeout", "reset", "gone") for r in requests)
    assert counted.timed <= len(requests)
    assert counted.started == len(requests)


@given(REQUESTS)
@settings(max_examples=200, deadline=None)
def test_nothing_is_counted_before_it_is_so(requests: list[Request]) -> None:
    so_far = Tally()
    for now, tally in looks(requests, until=40):
        assert min(tally.parts) >= 0
        assert tally.slow <= tally.timed
        assert tally.failed <= tally.requests or tally.failed <= so_far.requests + tally.requests
        so_far += tally
        assert so_far.requests <= sum(r.stop <= now for r in requests)
        assert so_far.failed <= sum(r.fails and r.stop <= now for r in requests)
        hanging = sum(r.stop > now and now - r.start > T / 1000 for r in requests)
        assert so_far.slow <= sum(r.slow and r.stop <= now for r in requests) + hanging


@given(st.lists(st.builds(Request, start=st.floats(0.01, 20), seconds=st.floats(0.001, 8), end=st.just("ok"))))
@settings(max_examples=200, deadline=None)
def test_slow_ones_that_end_are_counted_once(requests: list[Request]) -> None:
    counted = total(requests)
    assert counted.slow == sum(r.slow for r in requests)
    assert counted.timed == len(requests)


def test_a_hanging_request_is_slow_long_before_it_ends() -> None:
    hangs = [Request(0.5 + n, 15.0, "timeout") for n in range(5)]
    seen = dict(looks(hangs, until=40))
    assert sum(tally.slow for now, tally in seen.items() if now <= 8) == 5
    assert sum(tally.slow for tally in seen.values()) == 5


def test_hanging_requests_among_good_ones_are_found() -> None:
    good = [Request(0.1 + n / 5, 0.05, "ok") for n in range(100)]
    hanging = [Request(0.15 + n / 5, 15.0, "timeout") for n in range(25)]
    early = sum((tally for _, tally in looks([*good, *hanging], until=8)), Tally())
    assert 15 <= early.slow <= 25  # as many as were begun in a second may hide
    assert total([*good, *hanging]).slow == 25


def test_a_request_that_ended_unseen_hides_no_later_slow_one() -> None:
    left = [Request(0.5, 5.0, "ok")]
    caller = Caller(READ, T)
    counted = 0
    for second in range(40):
        page = told(left, second)
        if second >= 6:  # its client went in the middle of the answer: a code, and nothing in the histogram
            page.figures[1].counts["upstream_rq_time_count"] = 0
        if second >= 30:
            page.figures[1].codes[200] += 1
            page.figures[1].counts["upstream_rq_total"] += 1
            page.figures[1].counts["upstream_rq_time_count"] = 1
        counted += caller.take(page, When(second, second), since=0.0).tallies.get(1, Tally()).slow
    assert counted == 2


def test_what_was_under_way_before_we_looked_is_not_held_against_anybody() -> None:
    streams = [Request(0.1, 100.0, "ok") for _ in range(50)]
    caller = Caller(READ, T)
    counted = [caller.take(told(streams, s), When(s, s), since=0.0) for s in range(5, 30)]
    assert sum((c.tallies.get(1, Tally()) for c in counted), Tally()) == Tally()


def test_the_first_page_begins_and_counts_nothing() -> None:
    requests = [Request(n / 10, 0.05, "error") for n in range(50)]
    change = Caller(READ, T).take(told(requests, 10.0), When(100.0, 100.0), since=100.0)
    assert change.tallies == {1: Tally()}


def test_a_proxy_that_is_younger_than_the_trial_counts_from_zero() -> None:
    requests = [Request(n / 10, 0.05, "error") for n in range(50)]
    change = Caller(READ, T).take(told(requests, 10.0), When(100.0, 100.0), since=50.0)
    assert change.tallies[1].failed == 50


def page(requests: int, failed: int, uptime: float, *, revision: int = 1) -> Page:
    """Answers at once, all flushed."""
    codes = Counter({200: requests - failed, 500: failed})
    counts = Counter({"upstream_rq_total": requests, "upstream_rq_time_count": requests})
    return Page({revision: Figures(counts, codes, Counter(), Counter(), Counter({T: requests}))}, uptime)


def told_of(pages: Sequence[tuple[float, Page]]) -> tuple[Tally, bool]:
    """Everything after the first page, and whether a figure was doubted."""
    caller, counted, doubted = Caller(READ, T), Tally(), False
    for at, one in pages:
        change = caller.take(one, When(at, at), since=pages[0][0])
        counted += sum(change.tallies.values(), Tally())
        doubted = doubted or change.suspect
    return counted, doubted


def test_a_restarted_proxy_counts_from_zero() -> None:
    counted, doubted = told_of([(100, page(1000, 10, 500)), (101, page(5, 2, 0)), (102, page(9, 2, 1))])
    assert (counted.requests, counted.failed) == (9, 2)
    assert not doubted


def test_a_restarted_proxy_that_has_overtaken_its_former_figures_counts_from_zero() -> None:
    counted, doubted = told_of([(100, page(10, 1, 500)), (160, page(300, 20, 40))])
    assert (counted.requests, counted.failed) == (300, 20)
    assert not doubted


def test_a_proxy_that_restarts_soon_after_it_began_is_no_liar() -> None:
    counted, doubted = told_of([(100, page(10, 0, 1)), (101, page(3, 1, 0)), (102, page(5, 1, 1))])
    assert (counted.requests, counted.failed) == (5, 1)
    assert not doubted


def test_figures_that_fall_in_the_same_process_are_doubted_and_begin_anew() -> None:
    counted, doubted = told_of([(100, page(100, 9, 500)), (101, page(90, 0, 501)), (102, page(95, 1, 502))])
    assert (counted.requests, counted.failed) == (5, 1)
    assert doubted


def test_an_uptime_that_lags_by_a_flush_is_no_restart() -> None:
    counted, doubted = told_of([(100, page(100, 0, 500)), (104, page(110, 0, 500)), (105, page(111, 0, 505))])
    assert (counted.requests, doubted) == (11, False)


def test_a_cluster_that_was_away_comes_back_at_zero() -> None:
    away = Page({}, 501)
    counted, doubted = told_of([(100, page(100, 5, 500)), (101, away), (102, page(3, 1, 502))])
    assert (counted.requests, counted.failed, doubted) == (3, 1, False)


def test_a_revision_that_turns_up_later_counts_from_zero() -> None:
    counted, _ = told_of(
        [(100, page(100, 5, 500)), (101, Page({**page(100, 5, 501).figures, **page(4, 2, 1, revision=2).figures}, 501))]
    )
    assert (counted.requests, counted.failed) == (4, 2)


def resumed(tally: Tally, *pages: tuple[float, Page]) -> Tally:
    caller = Caller(READ, T, {1: tally})
    return sum((caller.take(p, When(at, at), since=at).tallies.get(1, Tally()) for at, p in pages), Tally())


@pytest.mark.parametrize("before", [0, 40, 100])
def test_a_process_of_ours_goes_on_from_the_checkpoint_of_the_one_before(before: int) -> None:
    caller = Caller(READ, T)
    caller.take(page(0, 0, 400), When(0, 0), since=0.0)
    caller.take(page(before, before // 10, 500), When(1, 1), since=0.0)
    new = resumed(caller.told.get(1, Tally()), (2, page(100, 10, 501)), (3, page(101, 10, 502)))
    assert (new.requests, new.failed) == (101 - before, 10 - before // 10)


def test_a_proxy_that_restarted_while_we_were_away_counts_from_zero() -> None:
    before = Tally(100, 10, 100, 10, 100, 0, 100)
    assert resumed(before, (2, page(30, 3, 20))).failed == 3


def test_the_checkpoint_of_a_proxy_that_never_answered_is_handed_on() -> None:
    assert Caller(READ, T, {1: Tally(requests=7)}).told == {1: Tally(requests=7)}


def test_a_request_that_ends_while_the_page_is_written_counts_once() -> None:
    before = Figures(Counter({"upstream_rq_total": 4, "upstream_rq_active": 3}), Counter({200: 1}))
    after = Figures(Counter({"upstream_rq_total": 4, "upstream_rq_rx_reset": 3}), Counter({200: 1, 503: 3}))
    torn = Figures(after.counts, before.codes)  # codes are written first
    for figures in (before, torn, after):
        figures.within[T] = figures.counts["upstream_rq_time_count"] = 1
    pages = [Page({1: figures}, 500) for figures in (before, torn, after, after, after, after)]
    counted, doubted = told_of([(at, page) for at, page in enumerate(pages, 100)])
    assert (counted.requests, counted.failed, counted.slow, doubted) == (3, 3, 3, False)


PAST = Figures(
    Counter(
        {
            "upstream_rq_total": 130,
            "upstream_rq_active": 4,
            "upstream_rq_retry": 9,
            "upstream_rq_rx_reset": 12,
            "upstream_rq_timeout": 3,
            "upstream_rq_time_count": 80,
        }
    ),
    Counter({101: 2, 200: 90, 503: 6, 504: 2}),
    Counter({503: 4}),
    Counter({14: 3}),
    Counter({T: 60}),
)


@pytest.mark.parametrize("grpc", [False, True])
def test_nothing_of_the_past_turns_up_later(*, grpc: bool) -> None:
    caller = Caller(partial(read_requests, slower_than=T, grpc=grpc), T)
    looked = [caller.take(Page({1: PAST}, 500 + n), When(n, n), since=0.0) for n in range(20)]
    assert [change.tallies[1] for change in looked] == [Tally()] * 20


@pytest.mark.parametrize("grpc", [False, True])
def test_nothing_that_was_told_turns_up_again_after_a_restart_of_ours(*, grpc: bool) -> None:
    read = partial(read_requests, slower_than=T, grpc=grpc)
    before = Caller(read, T)
    for n in range(20):
        before.take(Page({1: PAST}, 500 + n), When(n, n), since=0.0)
    after = Caller(read, T, before.told)
    looked = [after.take(Page({1: PAST}, 520 + n), When(n, n), since=0.0) for n in range(20)]
    assert [change.tallies[1] for change in looked] == [Tally()] * 20


@given(REQUESTS, st.integers(1, 30))
@settings(max_examples=100, deadline=None)
def test_a_restart_of_ours_at_any_moment_counts_nothing_twice(requests: list[Request], moment: int) -> None:
    before = Caller(READ, T)
    counted = sum((tally for _, tally in looks(requests, until=moment, caller=before)), Tally())
    after = Caller(READ, T, before.told)
    for second in range(moment, 45):
        change = after.take(told(requests, second), When(second, second), since=moment)
        assert min(change.tallies.get(1, Tally()).parts) >= 0
        counted += change.tallies.get(1, Tally())
    assert counted.requests == len(requests)
    assert sum(r.end in ("error", "timeout", "gone") for r in requests) <= counted.failed
    assert counted.failed <= sum(r.fails for r in requests)
    assert counted.timed <= len(requests)
