"""`seatrial wait`: the attempt of the template that is applied now, and an exit code for each of its ends."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from seatrial.api.conditions import Condition
from seatrial.api.revision import Phase
from seatrial.cli import looking
from seatrial.kube.errors import Unavailable
from support import voyage

Run = Callable[..., Any]
STABLE = voyage.revision(3, voyage.succeeded(3, revision=3), role="Stable")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "EVERY", 0.01)


def rolling(**fields: Any) -> dict[str, Any]:
    wanted: dict[str, Any] = {
        "template": 4,
        "phase": "Shifting",
        "stable": 3,
        "canary": 4,
        "weight": (25, 25),
        "generation": 2,
    }
    return voyage.service(**(wanted | fields))


def then(harbour: Any, *steps: tuple[dict[str, Any], ...]) -> None:
    """What the cluster has after each look."""
    left = list(steps)

    def meanwhile() -> None:
        if left:
            harbour.add(*left.pop(0))

    harbour.after_look = meanwhile


def canary(*attempts: Any, **fields: Any) -> dict[str, Any]:
    return voyage.revision(4, *attempts, **fields)


SUCCEEDED = (rolling(phase="Ready", stable=4, canary=None), canary(voyage.succeeded(4, 60, revision=4), role="Stable"))


def test_it_waits_until_the_revision_is_stable(harbour: Any, seatrial: Run) -> None:
    harbour.add(rolling(), STABLE, canary(voyage.shifting(4)))
    then(harbour, (), SUCCEEDED)
    shown = seatrial("wait", "orders")
    assert shown.code == 0
    assert shown.out.splitlines()[0] == "orders: revision 4 Shifting at 25 %, stable revision 3"
    assert shown.out.splitlines()[-1] == "orders: revision 4 is stable"


def test_a_template_that_the_operator_hasnt_seen_yet_isnt_taken_for_the_stable_one(harbour: Any, seatrial: Run) -> None:
    """Applied a moment ago: status and revisions are still those of the template before."""
    harbour.add(rolling(canary=None, target=3, phase="Ready", observed=1), STABLE)
    then(harbour, (rolling(), canary(voyage.shifting(4))), SUCCEEDED)
    assert seatrial("wait", "orders").out.splitlines()[-1] == "orders: revision 4 is stable"


def test_a_generation_that_was_observed_before_its_revision_was_made_is_no_end(harbour: Any, seatrial: Run) -> None:
    harbour.add(rolling(canary=None, target=3, phase="Ready", observed=2), STABLE)
    then(harbour, (rolling(), canary(voyage.shifting(4))), SUCCEEDED)
    assert seatrial("wait", "orders").out.splitlines()[-1] == "orders: revision 4 is stable"


def test_a_restart_is_waited_for_though_no_generation_tells_of_it(harbour: Any, seatrial: Run) -> None:
    marked: dict[str, Any] = {"annotations": {"seatrial.dev/restart": "now"}}
    harbour.add(voyage.service(template=3, stable=3, **marked), STABLE)
    assert seatrial("wait", "orders", "--timeout", "20ms").code == 3


def test_without_a_change_the_stable_revision_is_the_answer(harbour: Any, seatrial: Run) -> None:
    harbour.add(voyage.service(template=3, stable=3), STABLE)
    assert seatrial("wait", "orders").code == 0


@pytest.mark.parametrize(
    ("phase", "code"),
    [(Phase.ROLLED_BACK, 1), (Phase.FAILED, 1), (Phase.ABORTED, 1), (Phase.SUPERSEDED, 4)],
)
def test_each_end_has_its_exit_code_and_says_why(harbour: Any, seatrial: Run, phase: Phase, code: int) -> None:
    harbour.add(rolling(canary=None, target=4), STABLE, canary(voyage.rolled_back(4, phase=phase)))
    shown = seatrial("wait", "orders")
    assert shown.code == code
    assert "worse by at least 4.9 points" in " ".join(shown.out.split())


@pytest.mark.parametrize(("fields", "attempt"), [({"paused": True}, {}), ({}, {"held": True})])
def test_what_is_held_ends_with_2(harbour: Any, seatrial: Run, fields: dict[str, Any], attempt: dict[str, Any]) -> None:
    harbour.add(rolling(**fields), STABLE, canary(voyage.shifting(4, **attempt)))
    shown = seatrial("wait", "orders")
    assert shown.code == 2
    assert "held at 25 % by" in shown.out


def test_an_inconclusive_step_ends_with_2_and_its_reason(harbour: Any, seatrial: Run) -> None:
    paused = voyage.shifting(4, phase=Phase.PAUSED, held=True)
    why = voyage.entry(90, Phase.PAUSED, 25, "paused at 25 %: no verdict within 5m")
    harbour.add(rolling(), STABLE, canary(paused.model_copy(update={"history": [*paused.history, why]})))
    shown = seatrial("wait", "orders", "-o", "json")
    assert shown.code == 2
    assert json.loads(shown.out) == {
        "result": "Held",
        "code": 2,
        "revision": 4,
        "message": "paused at 25 %: no verdict within 5m",
    }


def test_a_way_back_is_waited_for_to_its_end(harbour: Any, seatrial: Run) -> None:
    back = voyage.shifting(4, phase=Phase.ROLLING_BACK, held=True)
    harbour.add(rolling(), STABLE, canary(back))
    then(harbour, (), (rolling(canary=None, target=4), canary(voyage.rolled_back(4))))
    assert seatrial("wait", "orders").code == 1


def test_a_timeout_says_what_it_still_waits_for(harbour: Any, seatrial: Run) -> None:
    harbour.add(rolling(rollout={"analysis": {}}), STABLE, canary(voyage.shifting(4)))
    shown = seatrial("wait", "orders", "--timeout", "20ms")
    said = " ".join(shown.out.split())
    assert shown.code == 3
    assert "not within the time given: revision 4 is Shifting at 25 %; next: 50 %, when the upper bound" in said


def test_a_template_that_nobody_takes_up_times_out_with_the_hindrance(harbour: Any, seatrial: Run) -> None:
    missing = Condition(type="ResolvedRefs", status="False", reason="NotFound", message="there is no ConfigMap prices")
    harbour.add(rolling(canary=None, target=3, conditions=(missing,)), STABLE)
    shown = seatrial("wait", "orders", "--timeout", "20ms")
    assert shown.code == 3
    assert "there is no ConfigMap prices" in shown.out


def test_a_spec_that_isnt_accepted_ends_with_1(harbour: Any, seatrial: Run) -> None:
    refused = Condition(
        type="Accepted", status="False", reason="Invalid", message="spec.steps: 5 after 25", observed_generation=2
    )
    harbour.add(rolling(canary=None, target=3, conditions=(refused,)), STABLE)
    shown = seatrial("wait", "orders")
    assert shown.code == 1
    assert "not accepted: spec.steps: 5 after 25" in shown.out


def test_a_template_that_changed_again_before_it_began_is_superseded(harbour: Any, seatrial: Run) -> None:
    harbour.add(rolling(canary=None, target=3, observed=1), STABLE)
    then(harbour, (rolling(template=5, canary=None, target=3, generation=3, observed=1),))
    assert seatrial("wait", "orders").code == 4


def test_a_revision_that_starts_when_another_has_gone_back_is_waited_for(harbour: Any, seatrial: Run) -> None:
    """It was rolled back before, so the end of its former attempt isn't that of the new one."""
    former = voyage.rolled_back(4, 20)
    other = voyage.revision(5, voyage.shifting(5, phase=Phase.ROLLING_BACK, cause="Template"))
    harbour.add(rolling(canary=5, target=4), STABLE, canary(former), other)
    ended = voyage.revision(5, voyage.rolled_back(5, phase=Phase.SUPERSEDED))
    again = (rolling(), canary(former, voyage.shifting(6, 90)), ended)
    then(harbour, again, (SUCCEEDED[0], canary(former, voyage.succeeded(6, 90, revision=4), role="Stable")))
    assert seatrial("wait", "orders").code == 0


def test_what_a_verb_took_the_traffic_from_didnt_succeed(harbour: Any, seatrial: Run) -> None:
    served = canary(voyage.succeeded(4, revision=4))
    harbour.add(
        rolling(stable=4, canary=3, target=4),
        voyage.revision(3, voyage.succeeded(3, revision=3), voyage.shifting(5, cause="Rollback")),
        served,
    )
    shown = seatrial("wait", "orders")
    assert shown.code == 1
    assert "a rollback gives the traffic to revision 3" in shown.out
    harbour.add(
        rolling(stable=3, canary=None, target=4),
        voyage.revision(3, voyage.succeeded(5, 90, revision=3, cause="Rollback")),
    )
    assert "revision 3 is stable in place of it" in seatrial("wait", "orders").out


def test_a_named_revision_is_waited_for_whatever_is_applied(harbour: Any, seatrial: Run) -> None:
    harbour.add(rolling(), STABLE, canary(voyage.shifting(4)))
    assert seatrial("wait", "orders", "--revision", "3").code == 0
    assert "orders has no revision 9; it has 3, 4" in seatrial("wait", "orders", "--revision", "9").err


def test_an_api_server_that_is_away_for_a_moment_ends_nothing(harbour: Any, seatrial: Run) -> None:
    harbour.add(rolling(), STABLE, canary(voyage.shifting(4)))
    looks: list[None] = []

    def meanwhile() -> None:
        looks.append(None)
        harbour.failure = Unavailable("the API server: refused") if len(looks) == 1 else None

    harbour.after_look = meanwhile
    original = harbour._fail

    def once(kind: Any) -> None:
        try:
            original(kind)
        finally:
            if harbour.failure is not None:
                harbour.failure = None
                harbour.add(*SUCCEEDED)

    harbour._fail = once
    shown = seatrial("wait", "orders")
    assert shown.code == 0
    assert "orders: no look: the API server: refused" in shown.out


def test_a_timeout_that_is_no_duration_is_told(seatrial: Run) -> None:
    assert "--timeout: 'soon' is not a duration" in seatrial("wait", "orders", "--timeout", "soon").err
