"""A service without ports: its steps are shares of replicas, and a pod works as soon as it is there."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.api.revision import Phase
from seatrial.rollout.decide import decide
from seatrial.rollout.world import Pods
from support.sea import Sea, a_service

PARTS = {25: 1, 50: 2, 100: 4}


def a_consumer(**spec: Any) -> Sea:
    """At rest, with a stable revision."""
    rollout = {"steps": [25, 50], "hold": "5s", "progressDeadline": "30s"}
    return Sea(a_service(**{"port": None, "expose": [], "rollout": rollout} | spec), ready_after=2).sail()


def counts(sea: Sea) -> tuple[int, int]:
    """Pods of stable and canary."""
    return sea.pods[1].wanted, sea.pods[2].wanted


def test_a_canary_has_the_pods_of_its_step_and_no_more() -> None:
    sea = a_consumer()
    sea.change("two")
    for weight, pods in PARTS.items():
        while sea.revisions.get(2) is None or sea.revisions[2].status.attempt is None or wanted(sea) < weight:
            sea.look()
        for _ in range(4):
            sea.look()
        assert counts(sea) == (4 - pods, pods)


def wanted(sea: Sea) -> int:
    """Weight of revision 2."""
    attempt = sea.revisions[2].status.attempt
    return attempt.weight.wanted if attempt else 0


def test_a_share_that_is_no_whole_number_of_pods_has_one_more() -> None:
    sea = a_consumer(replicas=1, rollout={"steps": [10], "hold": "60s"})
    sea.change("two")
    sea.until(Phase.SHIFTING, 2)
    for _ in range(4):
        decision = sea.look()
    assert counts(sea) == (1, 1)
    assert (decision.shares[1].weight, decision.shares[2].weight) == (90, 10)


def test_a_step_is_held_from_when_its_pods_are_ready() -> None:
    sea = a_consumer()
    sea.change("two")
    sea.until(Phase.SHIFTING, 2)
    sea.ready_after = 10
    while wanted(sea) < 50:
        sea.look()
    for _ in range(9):
        sea.look()
        assert wanted(sea) == 50
        attempt = sea.revisions[2].status.attempt
        assert attempt is not None
        assert attempt.verified_since is None


def test_pods_of_a_step_that_never_get_ready_take_it_back() -> None:
    sea = a_consumer()
    sea.change("two")
    sea.until(Phase.SHIFTING, 2)
    sea.ready_after = 1000
    sea.until(Phase.ROLLED_BACK, 2)
    assert "1 of 2 pods for 50 % ready within 30s" in sea.revisions[2].status.message
    sea.sail()
    assert counts(sea) == (4, 0)


def test_a_pod_lost_in_the_middle_of_a_step_takes_nothing_back() -> None:
    sea = a_consumer(rollout={"steps": [50], "hold": "60s", "progressDeadline": "5s"})
    sea.change("two")
    sea.until(Phase.SHIFTING, 2)
    for _ in range(10):
        sea.look()
    sea.pods[2] = Pods(wanted=2, ready=1)
    sea.ages[2] = -5
    for _ in range(3):
        sea.look()
    assert sea.phase(2) is Phase.SHIFTING


def test_what_pods_of_a_step_shall_do_is_left_to_stable_until_they_are_ready() -> None:
    sea = a_consumer()
    sea.change("two")
    sea.ready_after = 3
    sea.until(Phase.STARTING, 2)
    told = []
    while sea.phase(2) is not Phase.SUCCEEDED:
        decision = sea.look()
        if sea.phase(2) is Phase.PROMOTING:
            told.append((sea.pods[2].ready, decision.shares[1].share, decision.shares[1].weight))
    assert (2, 50, 100) in told, "half of the canary's pods: the other half of the work is stable's"
    assert all(weight for ready, _, weight in told if ready < 4)


def test_pods_that_an_autoscaler_gave_to_stable_stay_until_the_canary_has_as_many() -> None:
    sea = a_consumer(autoscaling={"min": 2, "max": 10})
    sea.pods[1] = Pods(wanted=6, ready=6)
    sea.change("two")
    sea.until(Phase.SHIFTING, 2)
    for _ in range(4):
        sea.look()
    assert counts(sea) == (6, 2)
    sea.until(Phase.SUCCEEDED, 2)
    sea.sail()
    assert counts(sea) == (0, 6)


def test_with_an_analysis_it_waits_for_evidence_of_its_own_calls_where_it_makes_any() -> None:
    sea = a_consumer(rollout={"steps": [50], "hold": "1s", "analysis": {}})
    sea.change("two")
    sea.sees("Wait")
    sea.counted(stable=10, canary=0)
    sea.until(Phase.SHIFTING, 2)
    for _ in range(20):
        sea.look()
    assert sea.phase(2) is Phase.SHIFTING, "stable calls others and the canary doesn't: that is no success"
    sea.sees("Worse", reason="bad")
    sea.until(Phase.ROLLED_BACK, 2)


def test_with_an_analysis_and_no_calls_at_all_its_steps_are_held_and_no_more() -> None:
    sea = a_consumer(rollout={"steps": [50], "hold": "1s", "analysis": {}})
    sea.change("two")
    sea.sees("NoData")
    sea.until(Phase.SUCCEEDED, 2)


@pytest.mark.parametrize("image", ["two", "broken"])
@given(
    replicas=st.integers(1, 8),
    steps=st.lists(st.integers(1, 99), unique=True, max_size=3).map(sorted),
    ready_after=st.integers(0, 4),
    deaths=st.lists(st.integers(0, 40), max_size=6),
)
@settings(deadline=None, max_examples=60)
def test_never_do_fewer_pods_work_than_the_service_asks_for(
    image: str, replicas: int, steps: list[int], ready_after: int, deaths: list[int]
) -> None:
    rollout = {"steps": steps, "hold": "1s", "progressDeadline": "10s"}
    service = a_service(port=None, expose=[], replicas=replicas, rollout=rollout)
    sea = Sea(service, broken=frozenset({"broken"})).sail()
    sea.ready_after = ready_after
    sea.change(image)
    for look in range(80):
        decision = decide(sea.world())
        shares = decision.shares
        working = sum(shares[n].weight * p.ready for n, p in sea.pods.items() if n in shares)
        ready = sum(p.ready for p in sea.pods.values())
        to_come = max(0, decision.scales.get(1, 0) - sea.pods[1].ready)  # of stable's own pods
        assert ready >= replicas
        assert working >= 100 * (replicas - to_come) - ready / 2, f"{shares} leaves work undone with {sea.pods}"
        sea.look(die_after=1 if look in deaths else None)
    assert sea.phase(2) is (Phase.SUCCEEDED if image == "two" else Phase.FAILED)
    assert sum(p.wanted for p in sea.pods.values()) == replicas
