"""One behaviour each: what a rollout does, step by step, on a sea that answers late."""

from typing import Any

import pytest

from seatrial.api.revision import Phase
from seatrial.rollout.decide import decide
from seatrial.rollout.world import Pods
from support.sea import Sea, a_service


@pytest.fixture
def sea() -> Sea:
    """Revision 1 is stable and everything has calmed down."""
    return Sea(a_service()).sail()


def test_the_first_revision_becomes_stable_and_gets_all_traffic() -> None:
    sea = Sea(a_service()).sail()
    assert sea.phase(1) is Phase.SUCCEEDED
    assert dict(sea.routing.weights) == {1: 100}


def test_a_first_revision_that_serves_becomes_stable_before_the_next_one_starts() -> None:
    sea = Sea(a_service(), ready_after=3)
    sea.until(Phase.PROMOTING, 1)
    sea.change("two")
    sea.sail()
    assert sea.phase(1) is Phase.SUCCEEDED
    assert sea.phase(2) is Phase.SUCCEEDED
    assert not sea.faults


def test_a_first_revision_that_serves_a_little_keeps_its_traffic_until_the_next_one_is_ready() -> None:
    sea = Sea(a_service(), ready_after=3)
    sea.until(Phase.STARTING, 1)
    sea.look()
    sea.pods[1] = Pods(wanted=4, ready=1)
    sea.change("two")
    decision = sea.look()
    assert dict(decision.routing.weights) == {1: 100}
    sea.sail()
    assert dict(sea.routing.weights) == {2: 100}
    assert not sea.faults


def test_a_first_revision_that_never_served_gives_way_at_once() -> None:
    sea = Sea(a_service(), broken=frozenset({"one"}))
    for _ in range(5):
        sea.look()
    sea.change("two")
    sea.sail()
    assert [weight for _, weight in sea.story(2)] == [0, 100, 100]


@pytest.mark.parametrize("analysis", [None, {}])
def test_where_no_pods_are_asked_for_a_changed_template_is_stable_without_any(analysis: dict[str, Any] | None) -> None:
    sea = Sea(a_service(replicas=0, rollout={"analysis": analysis})).sail()
    sea.sees("NoData", requests=0)
    sea.change("two")
    sea.sail()
    assert sea.phase(2) is Phase.SUCCEEDED
    assert dict(sea.routing.weights) == {2: 100}
    assert sea.pods[2].wanted == 0


def test_replicas_that_an_autoscaler_passes_over_excuse_no_revision_without_pods() -> None:
    sea = Sea(a_service(replicas=0, autoscaling={"min": 2, "max": 4}, rollout={"steps": [50], "hold": "60s"})).sail()
    sea.change("two")
    sea.until(Phase.SHIFTING, 2)
    sea.broken = frozenset({"two"})
    sea.pods[2] = Pods(wanted=2, ready=0, problem="it crashed")
    sea.sail()
    assert sea.phase(2) is Phase.ROLLED_BACK
    assert dict(sea.routing.weights) == {1: 100}


def test_a_changed_template_travels_through_each_step(sea: Sea) -> None:
    sea.change("two")
    sea.sail()
    assert sea.story(2) == [
        ("Starting", 0),
        ("Shifting", 10),
        ("Shifting", 50),
        ("Promoting", 100),
        ("Succeeded", 100),
    ]


def test_each_step_is_held_after_the_proxies_carry_it(sea: Sea) -> None:
    sea.ack_after = 7
    sea.change("two", rollout={"steps": [10], "hold": "5s"})
    sea.until(Phase.SHIFTING, 2)
    asked = sea.now
    sea.until(Phase.PROMOTING, 2)
    assert (sea.now - asked).total_seconds() >= 7 + 5


def test_strategy_none_moves_all_traffic_at_once(sea: Sea) -> None:
    sea.change("two", rollout={"strategy": "none"})
    sea.sail()
    assert sea.story(2) == [("Starting", 0), ("Promoting", 100), ("Succeeded", 100)]


def test_nothing_is_redeployed_at_promotion(sea: Sea) -> None:
    sea.change("two")
    sea.sail()
    assert sea.pods[2].wanted == 4
    assert sea.revisions.keys() == {1, 2}


def test_the_old_revision_is_scaled_down_in_the_end_and_loses_its_subset(sea: Sea) -> None:
    sea.change("two")
    sea.sail()
    assert sea.pods[1] == Pods(wanted=0, ready=0)
    assert sea.routing.subsets == {2}


def test_the_old_revision_keeps_its_pods_while_streams_are_under_way(sea: Sea) -> None:
    sea.change("two", shutdown={"drain": "40s"})
    sea.busy = {1: 3}
    sea.until(Phase.SUCCEEDED, 2)
    for _ in range(30):
        sea.look()
    assert sea.pods[1].wanted == 4


def test_streams_are_cut_and_counted_when_the_drain_is_over(sea: Sea) -> None:
    sea.change("two", shutdown={"drain": "10s"})
    sea.busy = {1: 3}
    sea.until(Phase.SUCCEEDED, 2)
    events = [e.message for _ in range(15) for e in sea.look().events if e.reason == "DrainCut"]
    assert events == ["revision 1 still had 3 requests or streams after 10s: cut"]


def test_a_drain_goes_on_where_it_was_while_the_proxies_are_asked_anew(sea: Sea) -> None:
    sea.change("two", shutdown={"drain": "20s"})
    sea.busy = {1: 3}
    sea.until(Phase.SUCCEEDED, 2)
    for _ in range(5):
        sea.look()
    began = sea.revisions[1].status.draining_since
    assert began is not None
    sea.unacknowledged = 2  # as an operator sees it that has just started
    for _ in range(5):
        sea.look()
        assert sea.revisions[1].status.draining_since == began


def test_a_revision_that_never_becomes_ready_never_gets_a_request(sea: Sea) -> None:
    sea.broken = frozenset({"two"})
    sea.change("two")
    sea.sail(200)
    assert sea.phase(2) is Phase.FAILED
    assert all("2" not in weights for weights in sea.told)
    assert sea.pods[2].wanted == 0


def test_a_failed_revision_is_not_tried_again_by_itself(sea: Sea) -> None:
    sea.broken = frozenset({"two"})
    sea.change("two")
    sea.sail(200)
    sea.broken = frozenset()
    sea.sail(50)
    assert sea.phase(2) is Phase.FAILED


def test_a_failed_revision_is_tried_again_after_the_template_changed_away_and_back(sea: Sea) -> None:
    sea.broken = frozenset({"two"})
    sea.change("two")
    sea.sail(200)
    sea.broken = frozenset()
    sea.change("one")
    sea.sail()
    sea.change("two")
    sea.sail()
    assert sea.phase(2) is Phase.SUCCEEDED
    assert len(sea.revisions[2].status.attempts) == 2


def test_a_change_during_a_rollout_returns_the_traffic_to_stable_first(sea: Sea) -> None:
    sea.change("two")
    sea.until(Phase.SHIFTING, 2)
    sea.change("three")
    sea.sail()
    assert sea.phase(2) is Phase.SUPERSEDED
    assert sea.phase(3) is Phase.SUCCEEDED
    assert not any("2:" in weights and "3:" in weights for weights in sea.told)


def test_a_change_while_another_one_goes_back_starts_when_that_is_over(sea: Sea) -> None:
    sea.ack_after = 4
    sea.change("two")
    sea.until(Phase.SHIFTING, 2)
    sea.ask(2, "abort")
    sea.until(Phase.ROLLING_BACK, 2)
    sea.change("three")
    while sea.phase(2) is Phase.ROLLING_BACK:
        assert 3 not in sea.revisions or sea.phase(3) is None
        sea.look()
    sea.sail(100)
    assert sea.phase(2) is Phase.ABORTED
    assert sea.phase(3) is Phase.SUCCEEDED
    assert not sea.faults


def test_a_change_back_to_the_stable_template_is_a_rollback(sea: Sea) -> None:
    sea.change("two")
    sea.until(Phase.SHIFTING, 2)
    sea.change("one")
    sea.sail()
    assert sea.phase(2) is Phase.ROLLED_BACK
    assert dict(sea.routing.weights) == {1: 100}


def test_the_old_template_applied_again_re_enters_its_revision(sea: Sea) -> None:
    sea.change("two")
    sea.sail()
    sea.change("one")
    sea.sail()
    assert sea.revisions.keys() == {1, 2}
    assert decide(sea.world()).stable == 1
    assert len(sea.revisions[1].status.attempts) == 2


def test_a_paused_rollout_stays_at_its_weight_and_goes_on_afterwards(sea: Sea) -> None:
    sea.change("two")
    sea.until(Phase.SHIFTING, 2)
    sea.change("two", paused=True)
    sea.until(Phase.PAUSED, 2)
    for _ in range(30):
        sea.look()
    assert dict(sea.routing.weights) == {1: 90, 2: 10}
    sea.change("two", paused=False)
    sea.sail()
    assert sea.phase(2) is Phase.SUCCEEDED


def test_a_canary_without_any_ready_pod_loses_its_traffic_at_once(sea: Sea) -> None:
    sea.change("two")
    sea.until(Phase.SHIFTING, 2)
    sea.broken = frozenset({"two"})
    sea.pods[2] = Pods(wanted=2, ready=0, problem="CrashLoopBackOff")
    decision = sea.look()
    assert dict(decision.routing.weights) == {1: 100}
    sea.sail()
    assert sea.phase(2) is Phase.ROLLED_BACK
    assert "CrashLoopBackOff" in sea.revisions[2].status.message


def test_without_a_judge_an_active_rollout_goes_back_to_stable(sea: Sea) -> None:
    sea.change("two")
    sea.until(Phase.SHIFTING, 2)
    sea.judge = False
    sea.sail()
    assert sea.phase(2) is Phase.ROLLED_BACK
    assert dict(sea.routing.weights) == {1: 100}


def test_a_deletion_in_mid_rollout_returns_the_weight_before_the_finalizer_goes(sea: Sea) -> None:
    sea.change("two")
    sea.until(Phase.SHIFTING, 2)
    gone = sea.service.metadata.model_copy(update={"deletion_timestamp": "2026-01-01T00:01:00Z"})
    sea.service = sea.service.model_copy(update={"metadata": gone})
    first = sea.look()
    assert first.active
    assert dict(first.routing.weights) == {1: 100}
    assert any(not sea.look().active for _ in range(5))
    assert sea.phase(2) is Phase.ABORTED


def test_a_silent_proxy_holds_the_rollout_and_is_named(sea: Sea) -> None:
    sea.change("two")
    sea.until(Phase.SHIFTING, 2)
    sea.unacknowledged = 10_000
    for _ in range(300):
        sea.look()
    assert dict(sea.routing.weights) == {1: 90, 2: 10}
    assert "gateway-1" in sea.revisions[2].status.message


def test_the_pods_for_the_next_step_are_ready_before_its_weight(sea: Sea) -> None:
    sea.ready_after = 9
    sea.change("two")
    sea.until(Phase.SHIFTING, 2)
    decision = sea.look()
    assert decision.scales[2] == 2
    while decision.routing.weights.get(2) != 50:
        assert sea.routing.weights[2] == 10
        decision = sea.look()
    assert sea.pods[2].ready >= 2


def test_a_settled_world_is_left_alone(sea: Sea) -> None:
    before = sea.world()
    decision = decide(before)
    assert decision.routing == before.mesh.live
    assert {n: r.status for n, r in sea.revisions.items()} == dict(decision.statuses)
    assert not decision.events
    assert decision.look_after is None


def test_replicas_change_in_place_without_a_new_revision(sea: Sea) -> None:
    sea.change("one", replicas=7)
    sea.sail()
    assert sea.pods[1].wanted == 7
    assert sea.revisions.keys() == {1}


def test_only_the_kept_number_of_old_revisions_stays(sea: Sea) -> None:
    for image in ("two", "three", "four", "five"):
        sea.change(image, rollout={"steps": [], "hold": "1s", "keepRevisions": 2})
        sea.sail(100)
    assert sorted(sea.revisions) == [3, 4, 5]


def test_a_stable_revision_whose_object_was_deleted_keeps_its_traffic_until_another_succeeds(sea: Sea) -> None:
    del sea.revisions[1]
    decision = sea.look()
    assert dict(decision.routing.weights) == {1: 100}
    assert decision.create == 2
    sea.sail()
    assert dict(sea.routing.weights) == {2: 100}
    assert not sea.faults


def test_a_service_without_ports_moves_in_shares_of_replicas() -> None:
    sea = Sea(a_service(port=None)).sail()
    sea.change("two", rollout={"steps": [50], "hold": "1s"})
    sea.until(Phase.SHIFTING, 2)
    sea.look()
    assert (sea.pods[1].wanted, sea.pods[2].wanted >= 2) == (2, True)
    sea.sail()
    assert (sea.pods[1].wanted, sea.pods[2].wanted) == (0, 4)
