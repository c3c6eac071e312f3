"""What a rollout does with a verdict: on, back, or held, and never on without one."""

from typing import Any

import pytest

from seatrial.api.revision import Phase
from seatrial.rollout.world import Pods, stamp
from support.sea import Sea, a_service


def a_sea(**rollout: Any) -> Sea:
    sea = Sea(a_service(rollout={"steps": [10, 50], "hold": "1s", "analysis": {}} | rollout)).sail()
    sea.sees("Wait")
    sea.change("two")
    return sea


def look(sea: Sea, times: int) -> Sea:
    for _ in range(times):
        sea.look()
    return sea


def test_nothing_is_routed_before_the_callers_were_looked_at_once() -> None:
    sea = a_sea()
    sea.verdict = None
    look(sea, 20)
    assert sea.phase(2) is Phase.STARTING


def test_no_step_is_taken_without_evidence() -> None:
    sea = a_sea()
    look(sea, 100)
    assert sea.story(2) == [("Starting", 0), ("Shifting", 10)]


def test_a_step_is_taken_as_soon_as_the_evidence_allows_its_weight() -> None:
    sea = a_sea()
    look(sea, 20)
    sea.sees("Better", allowed=50)
    look(sea, 20)
    assert dict(sea.routing.weights) == {1: 50, 2: 50}


def test_worse_goes_back_at_once_and_says_why_and_after_how_long() -> None:
    sea = a_sea()
    look(sea, 10)
    sea.sees("Worse", reason="canary 37 of 512 requests failed (7.2 %)")
    sea.look()
    assert dict(sea.routing.weights) == {1: 100}
    sea.sail()
    attempt = sea.revisions[2].status.attempt
    assert attempt
    assert attempt.phase is Phase.ROLLED_BACK
    assert attempt.decision.startswith("canary 37 of 512 requests failed (7.2 %), rolled back after ")
    assert attempt.decision.endswith(" s at 10 %")


def test_worse_at_all_traffic_still_goes_back_while_stable_is_there() -> None:
    sea = a_sea(steps=[])
    sea.sees("Better", allowed=100)
    sea.until(Phase.PROMOTING, 2)
    sea.sees("Worse")
    sea.sail()
    assert sea.phase(2) is Phase.ROLLED_BACK


@pytest.mark.parametrize(
    ("chosen", "phase", "weights"),
    [
        ("pause", Phase.PAUSED, {1: 90, 2: 10}),
        ("rollback", Phase.ROLLED_BACK, {1: 100}),
        ("promote", Phase.SHIFTING, {1: 50, 2: 50}),
    ],
)
def test_a_step_without_a_verdict_in_its_time_does_what_was_asked_for(
    chosen: str, phase: Phase, weights: dict[int, int]
) -> None:
    sea = a_sea(analysis={"stepTimeout": "60s", "onInconclusive": chosen})
    look(sea, 80)
    assert sea.phase(2) is phase
    assert dict(sea.routing.weights) == weights


@pytest.mark.parametrize(
    ("chosen", "phase", "weights"),
    [
        ("wait", Phase.SHIFTING, {1: 90, 2: 10}),
        ("pause", Phase.PAUSED, {1: 90, 2: 10}),
        ("promote", Phase.SHIFTING, {1: 50, 2: 50}),
    ],
)
def test_a_step_without_traffic_does_what_was_asked_for(chosen: str, phase: Phase, weights: dict[int, int]) -> None:
    sea = a_sea(analysis={"stepTimeout": "60s", "onNoTraffic": chosen, "onInconclusive": "rollback"})
    sea.sees("NoData", requests=0)
    look(sea, 80)
    assert sea.phase(2) is phase
    assert dict(sea.routing.weights) == weights


def test_a_step_whose_callers_cannot_be_asked_is_no_step_without_traffic() -> None:
    """All their requests may have failed, so nothing is promoted before they can be asked again."""
    sea = a_sea(analysis={"stepTimeout": "60s", "onNoTraffic": "promote"})
    sea.sees("Wait", requests=0, silent=("gateway-1-x.shop",))
    look(sea, 80)
    assert sea.story(2) == [("Starting", 0), ("Shifting", 10)]
    sea.sees("NoData", requests=0)
    look(sea, 2)
    assert dict(sea.routing.weights) == {1: 50, 2: 50}


@pytest.mark.parametrize("requests", [0, 1000])
def test_nothing_is_promoted_on_suspect_figures_but_by_a_person(requests: int) -> None:
    sea = a_sea(analysis={"stepTimeout": "60s", "onNoTraffic": "promote", "onInconclusive": "promote"})
    sea.sees("Suspect", requests=requests)
    look(sea, 80)
    assert sea.phase(2) is Phase.PAUSED
    assert dict(sea.routing.weights) == {1: 90, 2: 10}
    sea.ask(2, "promote")
    sea.sail()
    assert sea.phase(2) is Phase.SUCCEEDED


def test_a_step_that_was_paused_for_want_of_a_verdict_has_its_time_again_when_resumed() -> None:
    sea = a_sea(analysis={"stepTimeout": "30s"})
    sea.until(Phase.PAUSED, 2)
    sea.ask(2, "resume")
    look(sea, 20)
    assert sea.phase(2) is Phase.SHIFTING


def without_stable(looks: int) -> Sea:
    """The only pod of the new revision is ready, and that of stable has just ceased to be, for so many looks."""
    sea = Sea(a_service(replicas=1, rollout={"steps": [10, 50], "hold": "1s", "analysis": {}})).sail()
    sea.change("two")
    look(sea, 20)
    sea.ready_after, sea.ages[1] = looks, 0
    sea.pods[1] = Pods(wanted=1, ready=0, waiting_since=stamp(sea.now))
    return sea


def test_a_moment_without_stable_pods_gives_no_traffic_without_evidence() -> None:
    """One pod that is moved to another node would else promote whatever begins in that moment."""
    sea = without_stable(looks=10)
    sea.sees("Wait")
    look(sea, 60)
    assert sea.story(2) == [("Starting", 0), ("Shifting", 10)]


def test_where_stable_serves_nobody_any_more_a_new_revision_gets_all() -> None:
    sea = without_stable(looks=10_000)
    look(sea, 31)
    sea.sees("Wait")
    look(sea, 10)
    assert dict(sea.routing.weights) == {2: 100}


def test_where_no_steps_are_given_the_evidence_chooses_the_weights() -> None:
    sea = a_sea(steps=[])
    seen = []
    for allowed in (5, 6, 20, 21, 60, 100):
        sea.sees("Better", allowed=allowed)
        look(sea, 8)
        seen.append(sea.routing.weights.get(2, 0))
    assert seen == [5, 5, 20, 20, 60, 100]


def test_a_weight_waits_for_the_pods_that_it_needs() -> None:
    sea = a_sea(steps=[10, 50, 100 - 1])
    sea.until(Phase.SHIFTING, 2)
    look(sea, 5)
    sea.ready_after = 10_000
    sea.sees("Better", allowed=100)
    look(sea, 30)
    assert dict(sea.routing.weights) == {1: 50, 2: 50}


def test_pods_for_the_step_after_the_next_are_asked_for_with_the_step() -> None:
    sea = a_sea(steps=[10, 50])
    sea.until(Phase.SHIFTING, 2)
    assert sea.pods[2].wanted == 2


def test_the_first_revision_begins_with_all_its_pods() -> None:
    sea = Sea(a_service())
    sea.until(Phase.STARTING, 1)
    sea.look()
    assert sea.pods[1].wanted == sea.service.spec.replicas


def test_pods_that_evidence_asks_for_late_have_their_time_too() -> None:
    """Else a good revision with few requests is taken back the moment that it has proved itself."""
    sea = a_sea(steps=[], progressDeadline="30s")
    look(sea, 100)
    sea.ready_after = 20
    sea.sees("Better", allowed=60)
    look(sea, 15)
    assert dict(sea.routing.weights) == {1: 95, 2: 5}
    look(sea, 15)
    assert dict(sea.routing.weights) == {1: 40, 2: 60}


@pytest.mark.parametrize(("ready_after", "phase"), [(20, Phase.SHIFTING), (10_000, Phase.FAILED)])
def test_pods_have_their_time_from_the_end_of_a_migration(ready_after: int, phase: Phase) -> None:
    """A migration has a timeout of its own; what it took isn't taken from them."""
    migrate = {"command": ["alembic", "upgrade", "head"]}
    sea = Sea(a_service(migrate=migrate, rollout={"steps": [10], "hold": "60s", "progressDeadline": "30s"}))
    sea.migrations[1] = "done"
    sea.sail()
    sea.change("two")
    sea.migrations[2], sea.ready_after = "running", ready_after
    look(sea, 60)
    assert sea.phase(2) is Phase.STARTING
    sea.migrations[2] = "done"
    look(sea, 45)
    assert sea.phase(2) is phase


def test_pods_for_the_next_step_that_never_get_ready_take_the_revision_back() -> None:
    sea = a_sea(steps=[], progressDeadline="30s")
    look(sea, 100)
    sea.ready_after = 10_000
    sea.sees("Better", allowed=60)
    look(sea, 45)
    assert sea.phase(2) is Phase.ROLLED_BACK
    assert "pods for 60 % ready within 30s" in sea.revisions[2].status.message


def test_the_evidence_is_kept_with_the_attempt_and_written_every_five_seconds_only() -> None:
    sea = a_sea()
    look(sea, 10)
    written = set()
    for _ in range(20):
        sea.sees("Wait")
        sea.look()
        attempt = sea.revisions[2].status.attempt
        assert attempt
        assert attempt.evidence
        written.add(attempt.evidence.at)
    assert 4 <= len(written) <= 5


def test_a_revision_whose_containers_keep_restarting_goes_back() -> None:
    sea = a_sea(analysis=None)
    sea.until(Phase.SHIFTING, 2)
    sea.restarts[2] = 3
    sea.look()
    assert "restarted 3 times" in sea.revisions[2].status.message
    assert dict(sea.routing.weights) == {1: 100}


def test_blue_green_is_tried_on_marked_requests_and_then_gets_all() -> None:
    sea = a_sea(strategy="blueGreen")
    look(sea, 20)
    assert sea.routing.marked == 2
    assert dict(sea.routing.weights) == {1: 100}
    assert sea.pods[2].wanted == 4
    sea.sees("Better", allowed=100)
    sea.sail()
    assert sea.story(2) == [("Starting", 0), ("Shifting", 0), ("Promoting", 100), ("Succeeded", 100)]
    assert sea.routing.marked is None


def test_blue_green_keeps_the_old_side_for_the_hold() -> None:
    sea = a_sea(strategy="blueGreen", hold="30s")
    sea.sees("Better", allowed=100)
    sea.until(Phase.PROMOTING, 2)
    look(sea, 20)
    assert sea.phase(2) is Phase.PROMOTING
    assert sea.pods[1].wanted == 4


def test_marked_requests_of_a_worse_revision_end_before_the_public_gets_any() -> None:
    sea = a_sea(strategy="blueGreen")
    look(sea, 20)
    sea.sees("Worse")
    sea.sail()
    assert sea.phase(2) is Phase.ROLLED_BACK
    assert sea.routing.marked is None


def test_an_ab_test_gives_matching_users_to_the_new_revision_until_it_is_decided() -> None:
    sea = a_sea(strategy="abTest", match=[{"headers": {"x-group": {"exact": "b"}}}])
    look(sea, 20)
    assert sea.routing.marked == 2
    sea.ask(2, "abort")
    sea.sail()
    assert sea.phase(2) is Phase.ABORTED
    assert sea.routing.marked is None


def test_a_mirror_comes_before_the_steps() -> None:
    sea = a_sea(strategy="mirror")
    look(sea, 20)
    assert sea.routing.mirror
    assert sea.routing.mirror.revision == 2
    sea.sees("Better", allowed=10)
    look(sea, 10)
    assert sea.routing.mirror is None
    assert dict(sea.routing.weights) == {1: 90, 2: 10}


def test_affinity_knows_the_weights_of_the_steps_before() -> None:
    sea = a_sea(affinity={})
    sea.sees("Better", allowed=50)
    look(sea, 20)
    assert sea.routing.sticky
    assert sea.routing.sticky.earlier == (10,)
    sea.sees("Better", allowed=100)
    sea.sail()
    assert sea.routing.sticky is None


def test_a_service_whose_new_revision_has_all_traffic_is_ready() -> None:
    sea = a_sea(strategy="blueGreen", hold="20s")
    sea.sees("Better", allowed=100)
    sea.until(Phase.PROMOTING, 2)
    look(sea, 3)
    ready = next(c for c in sea.service.status.conditions if c.type == "Ready")
    assert (ready.status, ready.message) == ("True", "revision 2 serves with 4 of 4 pods")


def test_a_revision_that_is_proved_worse_before_it_has_any_weight_never_gets_one() -> None:
    sea = a_sea()
    sea.ready_after = 5
    sea.look()
    sea.sees("Worse", reason="canary 9 of 9 requests failed")
    sea.sail()
    assert sea.phase(2) is Phase.FAILED
    assert all("2" not in weights for weights in sea.told)


def test_an_attempt_that_ended_keeps_its_evidence_and_no_checkpoint() -> None:
    sea = a_sea()
    look(sea, 10)
    sea.sees("Worse", checkpoint="c")
    sea.sail()
    attempt = sea.revisions[2].status.attempt
    assert attempt
    assert attempt.evidence
    assert (attempt.evidence.verdict, attempt.evidence.checkpoint) == ("Worse", "")


def test_the_revision_that_served_before_is_kept_however_many_failed_since() -> None:
    sea = Sea(a_service(rollout={"steps": [], "keepRevisions": 1}), broken=frozenset({"x1", "x2", "x3"})).sail()
    sea.change("two", rollout={"steps": [], "keepRevisions": 1, "progressDeadline": "5s"})
    sea.sail()
    for image in ("x1", "x2", "x3"):
        sea.change(image)
        sea.sail()
    assert {1, 2} <= sea.revisions.keys()
    assert len(sea.revisions) <= 4


def test_ready_pods_that_only_wait_for_proxies_are_looked_at_more_often() -> None:
    sea = a_sea()
    sea.subsets_after = 50
    looks = {decision.look_after for decision in (sea.look() for _ in range(20))}
    assert looks == {1.0, 0.25}


def test_nobody_stays_where_another_service_has_the_places_on_the_gateway() -> None:
    sea = a_sea(affinity={})
    sea.change("two", expose=[])
    sea.sees("Better", allowed=50)
    look(sea, 20)
    assert dict(sea.routing.weights) == {1: 50, 2: 50}
    assert sea.routing.sticky is None
