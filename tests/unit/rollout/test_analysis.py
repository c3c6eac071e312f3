"""From looks to a verdict: what is said, how soon, and never more than the evidence holds."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from seatrial.api.rollouts import Analysis
from seatrial.rollout import checkpoint
from seatrial.rollout.analysis import Case, Ledger, enter, judge, open_ledger
from seatrial.rollout.evidence import Look, Tally
from seatrial.rollout.world import Verdict

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CANARY, STABLE = 2, 1


def a_case(**analysis: Any) -> Case:
    return Case(attempt=7, canary=CANARY, stable=STABLE, analysis=Analysis.parse(analysis), policy="p")


def good(requests: int, failed: int = 0, slow: int = 0) -> Tally:
    return Tally(requests, failed, requests, failed, requests, slow, requests)


def a_look(canary: Tally, stable: Tally, **more: Any) -> Look:
    return Look(at=0.0, seconds=1.0, tallies={CANARY: canary, STABLE: stable}, **more)


def after(looks: list[Look], case: Case | None = None, weight: int = 10) -> Ledger:
    ledger = open_ledger(case or a_case(), NOW)
    for look in looks:
        ledger = enter(ledger, look, weight)
    return ledger


def verdict(looks: list[Look], case: Case | None = None, weight: int = 10) -> Verdict:
    return judge(after(looks, case, weight), NOW)


def test_without_requests_nothing_is_allowed_and_that_is_said() -> None:
    found = verdict([a_look(Tally(), good(45))] * 60)
    assert (found.finding, found.allowed) == ("NoData", 0)
    assert found.reason == "no request reached the canary yet"


def test_a_revision_that_fails_is_worse_within_a_handful_of_failures() -> None:
    found = verdict([a_look(good(5, failed=2), good(45))] * 2)
    assert found.finding == "Worse"


def test_the_sentence_has_the_numbers_of_both_sides() -> None:
    looks = [a_look(good(5), good(45)), *[a_look(good(5, failed=2), good(45))] * 3]
    found = verdict(looks)
    assert found.reason.startswith("canary 6 of 20 requests failed (30 %), stable 0 of 180, ")
    assert found.reason.endswith(" at 95 %")


def test_what_only_the_comparison_shows_is_not_said_of_the_limit() -> None:
    """The limit is ignored where stable is above it, too, and attempts have none."""
    both_ill = verdict([a_look(good(10, failed=3), good(90, failed=5))] * 12)
    assert both_ill.finding == "Worse"
    assert "worse by at least" in both_ill.reason
    hidden = Tally(requests=50, failed=0, attempts=56, failed_attempts=6, timed=50, slow=0, started=50)
    behind = verdict([a_look(hidden, good(50))] * 6, a_case(toleratePercentPoints=5))
    assert behind.finding == "Worse"
    assert "failed at a try" in behind.reason
    assert "worse by at least 5" in behind.reason


def test_what_only_the_limit_shows_is_not_said_of_the_comparison() -> None:
    found = verdict([a_look(good(20, failed=1), Tally())] * 40)
    assert found.finding == "Worse"
    assert "more than the 1 % allowed at 95 %" in found.reason


def test_a_limit_that_stable_itself_is_above_is_said_to_be_passed_over() -> None:
    """Else nobody knows why a revision that fails more than was allowed isn't taken back."""
    ill = verdict([a_look(good(10), good(90, failed=5))] * 12)
    assert ill.reason.endswith("; stable itself is above the limit of 1 %, which is passed over")
    assert "limit" not in verdict([a_look(good(10), good(90))] * 12).reason
    assert "limit" not in verdict([a_look(good(10), good(90, failed=5))] * 12, a_case(maxErrorPercent=100)).reason


def test_a_good_revision_is_allowed_more_and_more() -> None:
    allowed = [verdict([a_look(good(5), good(45))] * seconds).allowed for seconds in (5, 30, 60, 120)]
    assert allowed[0] == 0
    assert sorted(allowed) == allowed
    assert allowed[-1] == 100


def test_better_means_that_the_next_weight_has_evidence() -> None:
    found = verdict([a_look(good(25), good(25))] * 60)
    assert found.finding == "Better"
    assert "canary 0 of 1,500 requests failed, stable 0 of 1,500, worse by at most" in found.reason


def test_too_few_requests_allow_nothing_however_good() -> None:
    found = verdict([a_look(good(25), good(25))] * 60, a_case(minRequests=2000))
    assert found.allowed == 0
    assert "500 more requests of 2000 needed" in found.reason


def test_failures_that_retries_hide_from_users_are_seen_at_the_attempts() -> None:
    hidden = Tally(requests=10, failed=0, attempts=14, failed_attempts=4, timed=10, slow=0, started=10)
    found = verdict([a_look(hidden, good(90))] * 6)
    assert found.finding == "Worse"
    assert found.reason.startswith("canary 24 of 84 requests failed at a try")


def test_latency_is_judged_where_it_is_asked_for() -> None:
    looks = [a_look(good(10, slow=3), good(90))] * 10
    assert verdict(looks).finding != "Worse"
    found = verdict(looks, a_case(latency={"slowerThan": "250ms", "maxPercent": 1}))
    assert found.finding == "Worse"
    assert "30 of 100 requests took longer than 250ms" in found.reason


def test_an_outage_that_both_share_is_nobodys_fault() -> None:
    calm, outage = a_look(good(5), good(45)), a_look(good(5, failed=4), good(45, failed=36))
    assert verdict([*[calm] * 20, *[outage] * 10, *[calm] * 10]).finding != "Worse"


def test_stable_pods_that_differ_among_themselves_make_the_comparison_noisy() -> None:
    pods = {"orders-1-a": good(22, failed=6), "orders-1-b": good(23)}
    found = verdict([a_look(good(5, failed=1), good(45, failed=6), stable_pods=pods)] * 20)
    assert (found.finding, found.allowed) == ("Noisy", 0)


def test_a_caller_that_cannot_be_asked_holds_the_rollout_and_is_named() -> None:
    found = verdict([a_look(good(25), good(25), silent=("gateway-1-x.shop",))] * 60)
    assert found.allowed == 0
    assert "gateway-1-x.shop can't be asked" in found.reason


def test_nobody_says_that_no_request_came_whose_callers_could_not_be_asked() -> None:
    found = verdict([a_look(Tally(), Tally(), silent=("gateway-1-x.shop",))] * 20)
    assert (found.finding, found.allowed) == ("Wait", 0)
    assert found.reason == "gateway-1-x.shop can't be asked"


def test_a_test_run_proves_a_revision_beside_which_stable_has_no_traffic() -> None:
    found = verdict([a_look(good(20), Tally())] * 30, weight=0)
    assert (found.finding, found.allowed) == ("Better", 100)
    assert "canary 0 of 600 requests failed, stable had none, worse by at most " in found.reason


def test_a_question_that_cannot_be_answered_allows_nothing_until_it_can() -> None:
    looks = [a_look(good(50), good(450))] * 20
    found = verdict([*looks, a_look(good(50), good(450), problems=("query rows: parse error",))])
    assert (found.finding, found.allowed) == ("NoData", 0)
    assert "query rows: parse error" in found.reason
    assert found.evidence.problems == ["query rows: parse error"]
    assert verdict([*looks, a_look(good(50), good(450))]).finding == "Better"


def test_counters_that_fell_in_one_process_are_suspect_from_then_on() -> None:
    looks = [a_look(good(25), good(25), suspect=("liar.shop",)), *[a_look(good(25), good(25))] * 60]
    found = verdict(looks)
    assert (found.finding, found.allowed) == ("Suspect", 0)
    assert "liar.shop" in found.reason


def test_one_caller_that_alone_decides_is_named() -> None:
    callers = {"shop/gateway": {CANARY: good(3)}, "shop/reports": {CANARY: good(2, failed=2)}}
    found = verdict([a_look(good(5, failed=2), good(45), by_caller=callers)] * 3)
    assert found.reason.endswith(", all seen by shop/reports")


def test_traffic_that_stops_is_no_data_again() -> None:
    found = verdict([*[a_look(good(5), good(45))] * 100, *[a_look(Tally(), good(45))] * 12])
    assert (found.finding, found.allowed) == ("NoData", 0)
    assert "no request reached the canary for 12 s" in found.reason


def test_a_test_run_on_marked_requests_counts_after_it_has_ended() -> None:
    looks = [*[a_look(good(50), good(45))] * 12, *[a_look(Tally(), good(45))] * 60]
    assert verdict(looks, weight=0).allowed == 100


def test_requests_are_counted_anew_at_each_weight() -> None:
    ledger = after([a_look(good(5), good(45))] * 10)
    assert judge(enter(ledger, a_look(good(9), good(9)), 50), NOW).requests == 9


def test_a_checkpoint_goes_on_where_it_was() -> None:
    counters = {"gateway-1-x.shop": {CANARY: good(50), STABLE: good(450)}}
    ledger = replace(after([a_look(good(5), good(45))] * 10), counters=counters)
    loaded = checkpoint.load(ledger.case, checkpoint.dump(ledger), NOW)
    assert loaded.counters == counters
    assert loaded.restarts == 0
    assert judge(loaded, NOW).evidence.slos[0].canary.total == 50


def test_a_checkpoint_is_no_evidence_that_was_not_there() -> None:
    ledger = after([a_look(good(5), good(45))] * 40)
    for _ in range(5):
        ledger = checkpoint.load(ledger.case, checkpoint.dump(ledger), NOW)
    assert judge(ledger, NOW).allowed <= judge(after([a_look(good(5), good(45))] * 40), NOW).allowed


@pytest.mark.parametrize("text", ["", "nonsense", "c-rk+0RR91"])
def test_a_checkpoint_that_cannot_be_read_begins_anew_and_counts_as_a_restart(text: str) -> None:
    loaded = checkpoint.load(a_case(), text, NOW)
    assert loaded.restarts == 1
    assert not loaded.counters


def test_another_policy_begins_anew_and_counts_as_a_restart() -> None:
    ledger = after([a_look(good(5), good(45))] * 10)
    loaded = checkpoint.load(replace(ledger.case, policy="other"), checkpoint.dump(ledger), NOW)
    assert loaded.restarts == 1
    assert judge(loaded, NOW).evidence.slos[0].canary.total == 0


def test_a_checkpoint_is_small() -> None:
    counters = {f"gateway-{n}.shop": {CANARY: good(50 + n), STABLE: good(450 + n)} for n in range(100)}
    ledger = replace(after([a_look(good(5, failed=0), good(45, failed=1))] * 100), counters=counters)
    assert len(checkpoint.dump(ledger)) < 12_000


def test_a_service_without_http_is_judged_by_its_queries_alone() -> None:
    queries = [{"name": "jobs", "total": "jobs_total", "bad": "jobs_failed_total"}]
    prometheus = {"address": "http://prometheus:9090", "queries": queries}
    case = replace(a_case(source="prometheus", prometheus=prometheus), http=False)
    jobs = {"jobs": {CANARY: (10, 4), STABLE: (90, 0)}}
    found = verdict([Look(at=0.0, seconds=15.0, queries=jobs)] * 3, case)
    assert found.finding == "Worse"
    assert found.reason.startswith("canary 12 of 30 requests were bad by jobs")
