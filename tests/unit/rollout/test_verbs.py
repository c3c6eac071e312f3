"""What somebody asks of a revision: done once, answered, and answered why not."""

import pytest

from seatrial.api.revision import Phase
from seatrial.rollout.verbs import asked
from support.sea import Sea, a_service


@pytest.fixture
def sea() -> Sea:
    """Revision 1 is stable, revision 2 has 10 % and waits for evidence that doesn't come."""
    sea = Sea(a_service(rollout={"steps": [10, 50], "analysis": {}})).sail()
    sea.sees("Wait")
    sea.change("two")
    sea.until(Phase.SHIFTING, 2)
    return look(sea, 10)


def look(sea: Sea, times: int = 3) -> Sea:
    for _ in range(times):
        sea.look()
    return sea


def test_promote_goes_to_all_traffic_without_more_evidence(sea: Sea) -> None:
    sea.ask(2, "promote")
    sea.sail()
    assert sea.story(2)[-2:] == [("Promoting", 100), ("Succeeded", 100)]


def test_a_promoted_revision_that_proves_worse_is_rolled_back_all_the_same(sea: Sea) -> None:
    sea.ask(2, "promote")
    sea.look()
    sea.sees("Worse", reason="canary 9 of 9 requests failed")
    sea.sail()
    assert sea.phase(2) is Phase.ROLLED_BACK


def test_pause_holds_a_revision_whatever_the_evidence_allows(sea: Sea) -> None:
    sea.ask(2, "pause")
    sea.look()
    sea.sees("Better", allowed=100)
    look(sea, 30)
    assert sea.phase(2) is Phase.PAUSED
    assert dict(sea.routing.weights) == {1: 90, 2: 10}


def test_a_paused_revision_that_proves_worse_is_rolled_back(sea: Sea) -> None:
    sea.ask(2, "pause")
    sea.until(Phase.PAUSED, 2)
    sea.sees("Worse")
    sea.sail()
    assert sea.phase(2) is Phase.ROLLED_BACK


def test_resume_lets_a_paused_revision_go_on(sea: Sea) -> None:
    sea.ask(2, "pause")
    sea.until(Phase.PAUSED, 2)
    look(sea)
    sea.ask(2, "resume")
    sea.sees("Better", allowed=100)
    sea.sail()
    assert sea.phase(2) is Phase.SUCCEEDED


def test_abort_takes_all_traffic_back(sea: Sea) -> None:
    sea.ask(2, "abort")
    sea.sail()
    assert sea.phase(2) is Phase.ABORTED
    assert dict(sea.routing.weights) == {1: 100}
    assert sea.answer(2) == (True, "aborted at 10 %: all traffic goes to revision 1")


def test_what_was_aborted_is_not_tried_again_by_itself(sea: Sea) -> None:
    sea.ask(2, "abort")
    sea.sail()
    look(sea, 30)
    assert len(sea.revisions[2].status.attempts) == 1


def test_retry_tries_a_revision_again_with_a_new_attempt(sea: Sea) -> None:
    sea.ask(2, "abort")
    sea.sail()
    sea.ask(2, "retry")
    sea.sees("Better", allowed=100)
    sea.sail()
    assert [a.phase for a in sea.revisions[2].status.attempts] == [Phase.ABORTED, Phase.SUCCEEDED]


def test_rollback_returns_to_a_revision_that_served_before_without_waiting_for_evidence(sea: Sea) -> None:
    sea.ask(2, "promote")
    sea.sail()
    sea.verdict = None
    sea.ask(1, "rollback")
    sea.sail()
    assert sea.story(1)[-3:] == [("Starting", 0), ("Promoting", 100), ("Succeeded", 100)]
    assert dict(sea.routing.weights) == {1: 100}


def test_a_rollback_stays_until_the_template_changes(sea: Sea) -> None:
    sea.ask(2, "promote")
    sea.sail()
    sea.ask(1, "rollback")
    sea.sail()
    look(sea, 30)
    assert dict(sea.routing.weights) == {1: 100}
    sea.sees("Better", allowed=100)
    sea.change("three")
    sea.sail()
    assert sea.phase(3) is Phase.SUCCEEDED


def test_a_rollback_first_ends_what_is_under_way(sea: Sea) -> None:
    sea.ask(2, "promote")
    sea.sail()
    sea.sees("Wait")
    sea.change("three")
    sea.until(Phase.SHIFTING, 3)
    sea.ask(1, "rollback")
    sea.sail()
    assert sea.phase(3) is Phase.ABORTED
    assert dict(sea.routing.weights) == {1: 100}


def test_a_rollback_to_stable_is_an_abort(sea: Sea) -> None:
    sea.ask(1, "rollback")
    sea.sail()
    assert sea.phase(2) is Phase.ABORTED
    assert sea.answer(1) == (True, "revision 1 is stable")


@pytest.mark.parametrize(
    ("revision", "verb", "why"),
    [
        (1, "promote", "revision 1 isn't being rolled out"),
        (2, "resume", "revision 2 isn't held"),
        (2, "retry", "revision 2 is being rolled out"),
        (1, "retry", "revision 2 is being rolled out: wait for it, or abort it"),
        (2, "promte", "there is no such verb: it is one of promote, pause, resume, abort, retry, rollback"),
    ],
)
def test_a_verb_that_cannot_be_done_is_answered_why(sea: Sea, revision: int, verb: str, why: str) -> None:
    sea.ask(revision, verb)
    sea.look()
    assert sea.answer(revision) == (False, why)
    assert sea.phase(2) is Phase.SHIFTING


@pytest.mark.parametrize("verb", ["promote", "pause", "resume", "abort"])
def test_what_is_on_its_way_back_is_not_stopped_by_a_verb(sea: Sea, verb: str) -> None:
    sea.ack_after = 3
    sea.sees("Worse")
    sea.until(Phase.ROLLING_BACK, 2)
    sea.ask(2, verb)
    sea.look()
    assert sea.answer(2) == (False, "revision 2 is on its way back to 0 %")
    sea.sail()
    assert sea.phase(2) is Phase.ROLLED_BACK


@pytest.mark.parametrize(
    ("verb", "why"),
    [
        ("promote", "spec.paused holds it: set it to false first"),
        ("resume", "spec.paused holds it: set it to false"),
    ],
)
def test_what_the_spec_holds_no_verb_lets_go_on(sea: Sea, verb: str, why: str) -> None:
    sea.change("two", paused=True)
    sea.until(Phase.PAUSED, 2)
    sea.ask(2, verb)
    look(sea)
    assert sea.answer(2) == (False, why)
    assert sea.phase(2) is Phase.PAUSED


def test_what_has_all_traffic_already_is_not_paused(sea: Sea) -> None:
    sea.ack_after = 5
    sea.ask(2, "promote")
    sea.until(Phase.PROMOTING, 2)
    sea.ask(2, "pause")
    sea.look()
    assert sea.answer(2) == (False, "revision 2 has all traffic already: abort takes it back")
    sea.sail()
    assert sea.phase(2) is Phase.SUCCEEDED


def test_a_first_revision_cannot_be_aborted() -> None:
    sea = Sea(a_service(), ready_after=5)
    sea.until(Phase.STARTING, 1)
    sea.ask(1, "abort")
    sea.look()
    assert sea.answer(1) == (False, "there is no other revision that could have the traffic")
    sea.sail()
    assert sea.phase(1) is Phase.SUCCEEDED


def test_what_is_stable_is_not_tried_again(sea: Sea) -> None:
    sea.ask(2, "abort")
    sea.sail()
    sea.ask(1, "retry")
    sea.look()
    assert sea.answer(1) == (False, "revision 1 is stable")


def test_a_verb_is_done_once_and_its_annotation_goes(sea: Sea) -> None:
    sea.ask(2, "pause/a1")
    look(sea)
    assert asked(sea.revisions[2]) is None
    sea.ask(2, "resume/a2")
    look(sea)
    assert sea.phase(2) is Phase.SHIFTING


def test_the_same_verb_can_be_asked_again(sea: Sea) -> None:
    for verb in ("pause", "resume", "pause"):
        sea.ask(2, verb)
        look(sea, 4)
    assert sea.phase(2) is Phase.PAUSED


@pytest.mark.parametrize("writes", range(6))
def test_a_verb_is_done_once_wherever_the_operator_dies(sea: Sea, writes: int) -> None:
    sea.ask(2, "abort/a1")
    sea.look(die_after=writes)
    sea.sail()
    look(sea, 5)
    history = sea.revisions[2].status.attempts[-1].history
    assert [e.phase for e in history].count(Phase.ABORTED) == 1
    assert len(sea.revisions[2].status.attempts) == 1


def test_the_janitor_does_no_verb(sea: Sea) -> None:
    sea.judge = False
    sea.ask(2, "promote")
    sea.sail()
    assert sea.revisions[2].status.answer is None
    assert dict(sea.routing.weights) == {1: 100}
