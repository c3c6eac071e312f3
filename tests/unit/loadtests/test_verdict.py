from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.record import Recording, Request, Sample
from loadtests.verdict import Limits, Thresholds, Verdict, health, judge

CALM = tuple(Sample(at=float(second), cpu=0.1, lag=0.001) for second in range(20))


def run(*statuses: int, latency: float = 0.1, lag: float = 0.0, error: str = "") -> Recording:
    made = tuple(Request(n, "GET /x", float(n), lag, latency, status, error) for n, status in enumerate(statuses))
    return Recording(made, CALM, finished=True)


def test_right_answers_in_time_pass() -> None:
    assert judge(run(200, 200), Thresholds(latency={99: 0.2})).verdict is Verdict.PASS


@pytest.mark.parametrize("status", [0, 500, 503])
def test_a_lost_request_fails(status: int) -> None:
    judged = judge(run(200, 200, 200, status))
    assert judged.verdict is Verdict.FAIL
    assert judged.reasons == ("1 of 4 requests failed (25 %; 0 % are allowed), 1 of them lost",)


def test_a_wrong_answer_fails() -> None:
    assert judge(run(200, error="another order")).verdict is Verdict.FAIL


def test_failures_up_to_the_threshold_pass() -> None:
    assert judge(run(200, 200, 200, 503), Thresholds(failed_percent=25)).verdict is Verdict.PASS


def test_slow_answers_fail_and_the_reason_has_the_figures() -> None:
    judged = judge(run(200, 200, latency=0.3), Thresholds(latency={50: 0.1, 99: 0.5}))
    assert judged.verdict is Verdict.FAIL
    assert judged.reasons == ("p50 is 300 ms (100 ms are allowed)",)


@given(st.lists(st.sampled_from([200, 0, 404]), max_size=30), st.floats(0.06, 10), st.floats(0, 20))
def test_a_generator_that_ran_late_never_passes_anything(statuses: list[int], lag: float, latency: float) -> None:
    recording = run(*statuses, lag=lag, latency=latency)
    assert judge(recording, Thresholds(failed_percent=100)).verdict is Verdict.INCONCLUSIVE


def test_slow_answers_to_a_late_generator_prove_nothing() -> None:
    judged = judge(run(200, latency=3, lag=2), Thresholds(latency={50: 1}))
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert len(judged.reasons) == 2


def test_no_answer_to_a_late_generator_proves_nothing() -> None:
    assert judge(run(0, lag=2)).verdict is Verdict.INCONCLUSIVE


def test_a_5xx_is_one_however_late_the_generator_was() -> None:
    assert judge(run(200, 503, lag=2)).verdict is Verdict.FAIL


def test_a_generator_without_cpu_left_never_passes() -> None:
    busy = tuple(replace(sample, cpu=0.97) for sample in CALM)
    judged = judge(replace(run(200), samples=busy))
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert "97% of a CPU" in judged.reasons[0]


def test_one_busy_second_is_forgiven_but_one_busy_worker_is_not() -> None:
    once = (replace(CALM[0], cpu=1.0), *CALM[1:])
    assert health(Recording(samples=once)).cpu == pytest.approx((1.0 + 4 * 0.1) / 5)
    other = tuple(replace(sample, cpu=1.0, worker=1) for sample in CALM)
    assert health(Recording(samples=CALM + other)).cpu == 1.0


def test_limits_are_the_users_to_set() -> None:
    assert judge(run(200, lag=2), limits=Limits(lag=3)).verdict is Verdict.PASS


def test_no_request_proves_nothing() -> None:
    assert judge(run()).verdict is Verdict.INCONCLUSIVE


def test_a_record_without_an_end_proves_nothing() -> None:
    assert judge(replace(run(200), finished=False)).verdict is Verdict.INCONCLUSIVE


def test_a_generator_that_says_nothing_of_itself_proves_nothing() -> None:
    assert judge(replace(run(200), samples=())).verdict is Verdict.INCONCLUSIVE


def test_a_run_that_was_ended_is_aborted() -> None:
    assert judge(run(503), aborted=True).verdict is Verdict.ABORTED


def test_every_verdict_has_its_own_exit_code_and_none_is_that_of_wrong_usage() -> None:
    codes = [verdict.exit_code for verdict in Verdict]
    assert len(set(codes)) == len(codes)
    assert 2 not in codes
    assert Verdict.PASS.exit_code == 0
