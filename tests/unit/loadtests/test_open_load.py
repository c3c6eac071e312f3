import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loadtests import Ask, Limits, LoadError, Stage, Verdict, health, judge, open_load
from loadtests.arrivals import arrivals
from loadtests.instant import Instant
from loadtests.plan import Plan, arguments
from loadtests.record import read

from .conftest import Target

PATIENT = Limits(lag=5.0, cpu=2.0)  # these tests share the machine with anything


def test_every_arrival_is_a_request_that_is_recorded(target: Target) -> None:
    with open_load(rate=100, duration=1, seed=7, path="/well?page=2", host=target.url) as load:
        result = load.wait()
    due = list(arrivals([Stage(100, 1)], seed=7))
    first = result.requests[0].intended - due[0]
    assert [r.intended - first for r in result.requests] == pytest.approx(due, abs=1e-5)
    assert [r.number for r in result.requests] == list(range(len(due)))
    assert target.seen == {"/well": len(due)}
    assert {(r.name, r.status, r.error) for r in result.requests} == {("GET /well", 200, "")}
    assert all(r.latency > r.lag >= 0 for r in result.requests)
    assert result.split("orders").counts == {3: len(due)}
    assert not result.lost
    assert judge(result, limits=PATIENT).verdict is Verdict.PASS


def test_a_load_can_be_looked_at_while_it_runs_and_stopped_at_any_time(target: Target) -> None:
    with open_load(rate=100, path="/well", host=target.url) as load:
        some = load.until(lambda seen: seen.total >= 20, within=60)
        assert not some.finished
        result = load.stop()
    assert result.finished
    assert set(some.requests) <= set(result.requests)
    assert target.seen["/well"] == result.total
    assert load.stop() is result


def test_a_stall_is_seen_by_everyone_who_would_have_come(target: Target) -> None:
    with open_load(rate=50, duration=3, spacing="constant", path="/well", host=target.url) as load:
        load.until(lambda seen: seen.total >= 10, within=60)
        target.freeze(after=0.3, seconds=1.0)
        result = load.wait()
    waited = [r for r in result.requests if r.latency > 0.5]
    assert 20 <= len(waited) <= 100  # 50 came during the stall, half of them waited for more than half of it
    assert result.percentile(50) < 0.5


def test_who_could_not_be_sent_because_of_a_stall_counts_from_when_he_was_due(target: Target) -> None:
    with open_load(rate=50, duration=3, spacing="constant", path="/well", host=target.url, most_at_once=1) as load:
        load.until(lambda seen: seen.total >= 10, within=60)
        target.freeze(after=0.3, seconds=1.0)
        result = load.wait()
    as_a_closed_user_sees_it = [r for r in result.requests if r.latency - r.lag > 0.5]
    as_it_was = [r for r in result.requests if r.latency > 0.5]
    assert len(as_a_closed_user_sees_it) == 1
    assert len(as_it_was) >= 20
    assert judge(result).verdict is Verdict.INCONCLUSIVE


def test_5xx_answers_are_lost_and_counted_one_by_one(target: Target) -> None:
    with open_load(rate=60, duration=1, path="/sometimes", host=target.url) as load:
        result = load.wait()
    assert result.total == target.seen["/sometimes"]
    assert len(result.lost) == (result.total + 1) // 2
    assert {r.error for r in result.lost} == {"503 instead of 200"}
    assert judge(result, limits=PATIENT).verdict is Verdict.FAIL


def test_an_error_quotes_what_the_service_said(target: Target) -> None:
    with open_load(rate=20, duration=0.5, path="/error", host=target.url) as load:
        result = load.wait()
    assert result.failures == {"GET /error: 503 instead of 200: no healthy upstream": result.total}


def test_an_unexpected_4xx_failed_but_is_not_lost(target: Target) -> None:
    with open_load(rate=20, duration=0.5, path="/missing", host=target.url) as load:
        result = load.wait()
    assert len(result.failed) == result.total
    assert not result.lost


def test_a_status_that_was_asked_for_is_right(target: Target) -> None:
    ask = Ask("/missing", expect=404, name="nothing there")
    with open_load(rate=20, duration=0.5, ask=ask, host=target.url) as load:
        result = load.wait()
    assert not result.failed
    assert {r.name for r in result.requests} == {"nothing there"}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_that_ends_too_early_is_a_lost_request_and_never_repeated(target: Target, method: str) -> None:
    ask = Ask("/broken", method=method, body="{}" if method == "POST" else None)
    with open_load(rate=60, duration=0.5, spacing="constant", ask=ask, host=target.url) as load:
        result = load.wait()
    assert target.seen == {"/broken": result.total}
    assert len(result.lost) == result.total
    assert {r.status for r in result.lost} == {0}
    assert all(r.error for r in result.lost)


def test_a_connection_that_the_server_ends_after_its_answer_loses_nothing(target: Target) -> None:
    with open_load(rate=60, duration=1, path="/goodbye", host=target.url) as load:
        result = load.wait()
    assert result.total > 20
    assert not result.failed


def test_no_answer_in_time_is_a_lost_request(target: Target) -> None:
    with open_load(rate=20, duration=0.5, path="/hang", host=target.url, timeout=0.5) as load:
        result = load.wait()
    assert {(r.status, r.error) for r in result.requests} == {(0, "no answer within 0.5 s")}
    assert all(0.5 <= r.latency - r.lag < 4 for r in result.requests)


def test_stopping_waits_for_the_answers_that_are_due(target: Target) -> None:
    with open_load(rate=50, path="/well", host=target.url) as load:
        load.until(lambda seen: seen.total >= 5, within=60)
        target.freeze(after=0, seconds=1.0)
        before = target.seen["/well"]
        deadline = time.monotonic() + 60
        while target.seen["/well"] < before + 5:
            assert time.monotonic() < deadline
        result = load.stop()
    assert not result.lost
    assert target.seen["/well"] == result.total


def test_where_nobody_listens_every_request_is_lost() -> None:
    with open_load(rate=20, duration=0.5, path="/", host="http://127.0.0.1:9") as load:
        result = load.wait()
    assert result.total > 0
    assert len(result.lost) == result.total
    assert "refused" in result.lost[0].error


def test_a_generator_that_can_not_keep_up_is_found_out(target: Target) -> None:
    with open_load(rate=20_000, path="/well", host=target.url, most_at_once=50) as load:
        load.until(lambda seen: seen.total >= 1000 and len(seen.samples) >= 2, within=60)
        result = load.stop()
    judged = judge(result)
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert "late" in judged.reasons[0]
    assert health(result).lag_p99 > 0.05


def test_every_visitor_is_a_new_user_without_cookies(target: Target) -> None:
    with open_load(rate=50, duration=0.5, path="/well", host=target.url) as load:
        load.wait()
    assert set(target.cookies) == {""}


def test_each_request_can_carry_its_number(target: Target) -> None:
    ask = Ask("/well?n={n}", method="POST", headers=(("x-key", "key-{n}"),), body='{"n": {n}}')
    with open_load(rate=20, duration=0.5, ask=ask, host=target.url) as load:
        result = load.wait()
    expected = [(f"/well?n={r.number}", f"key-{r.number}", f'{{"n": {r.number}}}') for r in result.requests]
    assert sorted(target.bodies) == sorted(expected)
    assert {r.name for r in result.requests} == {"POST /well"}


def test_two_workers_make_the_arrivals_of_one(target: Target, tmp_path: Path) -> None:
    with open_load(rate=100, duration=1, seed=5, path="/well", host=target.url, workers=2, folder=tmp_path) as load:
        result = load.wait()
    due = list(arrivals([Stage(100, 1)], seed=5))
    first = result.requests[0].intended - due[0]
    assert [r.intended - first for r in result.requests] == pytest.approx(due, abs=1e-5)
    assert {sample.worker for sample in result.samples} <= {0, 1}
    assert read(*sorted(tmp_path.glob("*.jsonl"))) == result


async def test_a_load_runs_beside_an_event_loop(target: Target) -> None:
    with open_load(rate=50, path="/well", host=target.url) as load:
        await asyncio.to_thread(load.until, lambda seen: seen.total >= 5, within=60)
        result = await asyncio.to_thread(load.stop)
    assert not result.lost


def test_a_test_that_fails_ends_its_load(target: Target) -> None:
    with pytest.raises(ZeroDivisionError), open_load(rate=50, path="/hang", host=target.url) as load:  # noqa: PT012
        load.until(lambda _: target.seen["/hang"] > 0, within=60)
        raise ZeroDivisionError
    assert [child.returncode for child in load._children] == [-9]


def test_a_generator_that_breaks_says_why() -> None:
    with pytest.raises(LoadError, match="there is no journey sightseeing"), open_load(rate=1, journey="sightseeing"):
        pass


def test_a_load_ends_with_the_process_that_asked_for_it(target: Target, tmp_path: Path) -> None:
    plan = Plan(stages=(Stage(50, float("inf")),), what=Ask("/well"), host=target.url, record=tmp_path / "load.jsonl")
    command = [sys.executable, "-m", "loadtests", "open", "--driven", *arguments(plan)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
    assert child.stdin is not None
    child.stdin.write(f"{Instant.now()}\n")
    child.stdin.flush()
    deadline = time.monotonic() + 60
    while not target.seen["/well"]:
        assert time.monotonic() < deadline
    child.stdin.close()
    assert child.wait(20) == 0
    assert read(plan.record).finished


@pytest.mark.parametrize(
    "wrong",
    [{}, {"rate": 1}, {"path": "/"}, {"rate": 1, "path": "/", "journey": "shopping"}],
)
def test_a_load_that_is_not_said_in_full_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="say"):
        open_load(**wrong)  # type: ignore[arg-type]
