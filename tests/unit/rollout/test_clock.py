"""Operators run on nodes whose clocks differ: order is told by numbers, and a clock that goes back holds nothing up."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.api.revision import Phase
from support.sea import Sea, a_service

HOUR = timedelta(hours=1)
JUMPS = st.lists(st.sampled_from([0, 0, 0, -3600, 3600, -60, 7]), min_size=20, max_size=40)
PATIENT = {"steps": [10, 50], "hold": "5s", "progressDeadline": "400h"}


@given(JUMPS)
def test_whatever_the_clocks_say_a_rollout_takes_its_steps_in_order(jumps: list[int]) -> None:
    sea = Sea(a_service(rollout=PATIENT)).sail()
    sea.change("two")
    for jump in jumps:
        sea.now += timedelta(seconds=jump)
        sea.look()
    sea.sail()
    assert sea.story(2) == [
        ("Starting", 0),
        ("Shifting", 10),
        ("Shifting", 50),
        ("Promoting", 100),
        ("Succeeded", 100),
    ]
    assert dict(sea.routing.weights) == {2: 100}
    assert not sea.faults


def test_the_revision_that_succeeded_last_is_stable_though_its_clock_was_behind() -> None:
    sea = Sea(a_service()).sail()
    sea.now -= HOUR
    sea.change("two")
    sea.sail()
    sea.now -= HOUR
    sea.ask(1, "rollback")
    sea.sail()
    assert dict(sea.routing.weights) == {1: 100}
    assert sea.revisions[1].status.role == "Stable"


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.SHIFTING, Phase.PROMOTING])
def test_a_clock_that_goes_back_holds_nothing_up(phase: Phase) -> None:
    sea = Sea(a_service(rollout=PATIENT), ack_after=2).sail()
    sea.change("two")
    sea.until(phase, 2)
    for _ in range(4):
        sea.look()
    sea.now -= HOUR
    sea.sail()
    assert sea.phase(2) is Phase.SUCCEEDED


def test_a_deadline_is_no_later_for_a_clock_that_went_back() -> None:
    sea = Sea(a_service(rollout={"progressDeadline": "20s"}), broken=frozenset({"two"})).sail()
    sea.change("two")
    sea.until(Phase.STARTING, 2)
    sea.now -= HOUR
    sea.sail()
    assert sea.phase(2) is Phase.FAILED


def test_streams_are_drained_no_longer_for_a_clock_that_went_back() -> None:
    sea = Sea(a_service()).sail()
    sea.change("two", shutdown={"drain": "10s"})
    sea.busy = {1: 3}
    sea.until(Phase.SUCCEEDED, 2)
    for _ in range(3):
        sea.look()
    sea.now -= HOUR
    sea.sail()
    assert sea.pods[1].wanted == 0


def test_evidence_is_written_though_the_last_one_is_of_a_later_hour() -> None:
    sea = Sea(a_service(rollout={"steps": [10], "analysis": {}})).sail()
    sea.sees("Wait")
    sea.change("two")
    sea.until(Phase.SHIFTING, 2)
    sea.look()
    sea.now -= HOUR
    sea.sees("Wait", reason="as it is an hour before")
    for _ in range(7):
        sea.look()
    attempt = sea.revisions[2].status.attempt
    assert attempt is not None
    assert attempt.evidence is not None
    assert attempt.evidence.reason == "as it is an hour before"
