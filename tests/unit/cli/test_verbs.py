"""`seatrial promote|pause|resume|abort|retry|rollback`: which revision is asked, what is said, what is never done."""

import json
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

import pytest

from seatrial.api.names import ANNOTATION_VERB
from seatrial.api.revision import Answer, Phase
from seatrial.cli import verbs
from seatrial.kube.errors import Forbidden
from support import voyage

Run = Callable[..., Any]


def annotation(harbour: Any, number: int) -> str | None:
    meta = harbour.objects["Revision", "shop", f"orders-{number}"]["metadata"]
    found: str | None = meta["annotations"].get(ANNOTATION_VERB)
    return found


def operator(harbour: Any, *, done: bool = True, message: str = "so it is") -> None:
    """Answer what is asked, as soon as it is."""

    def answer() -> None:
        for obj in harbour.objects.values():
            asked = obj["metadata"].get("annotations", {}).pop(ANNOTATION_VERB, None)
            if asked:
                obj["status"]["answer"] = Answer(asked=asked, at=voyage.at(80), done=done, message=message).dump()

    harbour.after_merge = answer


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three seconds pass at each look at the clock."""
    monkeypatch.setattr(verbs, "clock", partial(next, count(step=3)))
    monkeypatch.setattr(verbs, "EVERY", 0)


@pytest.fixture
def rolling(harbour: Any) -> Any:
    """Revision 4 is rolled out beside stable revision 3; 2 was rolled back, 1 served before."""
    harbour.add(
        voyage.service(template=4, phase="Shifting", stable=3, canary=4, weight=(25, 25)),
        voyage.revision(1, voyage.succeeded(1, revision=1)),
        voyage.revision(2, voyage.rolled_back(2, 20)),
        voyage.revision(3, voyage.succeeded(3, 40, revision=3), role="Stable"),
        voyage.revision(4, voyage.shifting(4), role="Canary"),
    )
    return harbour


@pytest.fixture
def settled(harbour: Any) -> Any:
    """Nothing is rolled out: revision 3 is stable, 4 was rolled back."""
    harbour.add(
        voyage.service(template=4, phase="RolledBack", stable=3, target=4),
        voyage.revision(1, voyage.succeeded(1, revision=1)),
        voyage.revision(3, voyage.succeeded(3, 40, revision=3), role="Stable"),
        voyage.revision(4, voyage.rolled_back(4)),
    )
    return harbour


@pytest.mark.parametrize("verb", ["promote", "pause", "resume", "abort"])
def test_it_asks_the_revision_that_is_rolled_out_and_prints_the_answer(rolling: Any, seatrial: Run, verb: str) -> None:
    operator(rolling, message=f"{verb}: done")
    shown = seatrial(verb, "orders")
    assert (shown.code, shown.out, shown.err) == (0, f"orders-4: {verb}: done\n", "")


def test_without_waiting_it_says_where_the_answer_will_be(rolling: Any, seatrial: Run) -> None:
    shown = seatrial("pause", "orders", "--no-wait")
    assert shown.code == 0
    assert shown.out == "orders-4: asked of revision 4: the operator answers in its status\n"
    assert str(annotation(rolling, 4)).startswith("pause/")


def test_two_asks_of_one_verb_are_told_apart(rolling: Any, seatrial: Run) -> None:
    seatrial("pause", "orders", "--no-wait")
    first = annotation(rolling, 4)
    seatrial("pause", "orders", "--no-wait")
    assert annotation(rolling, 4) != first


def test_a_refusal_is_told_with_its_reason_and_exit_code_1(rolling: Any, seatrial: Run) -> None:
    operator(rolling, done=False, message="spec.paused holds it: set it to false first")
    shown = seatrial("promote", "orders")
    assert (shown.code, shown.out) == (1, "")
    assert shown.err == (
        "seatrial: promote of orders-4 is refused: spec.paused holds it: set it to false first; "
        "see `seatrial status orders`\n"
    )


def test_programs_get_a_refusal_as_data_and_exit_code_1(rolling: Any, seatrial: Run) -> None:
    operator(rolling, done=False, message="no")
    shown = seatrial("promote", "orders", "-o", "json")
    told = json.loads(shown.out)
    assert shown.code == 1
    assert (told["revision"], told["done"], told["message"]) == ("orders-4", False, "no")


def test_a_revision_that_isnt_rolled_out_is_never_promoted(rolling: Any, seatrial: Run) -> None:
    shown = seatrial("promote", "orders", "--to", "2")
    assert shown.code == 1
    assert "revision 2 of orders isn't being rolled out, revision 4 is; name that with --to 4" in shown.err
    assert annotation(rolling, 2) is annotation(rolling, 4) is None


def test_without_a_rollout_it_names_the_stable_revision(settled: Any, seatrial: Run) -> None:
    shown = seatrial("abort", "orders")
    assert shown.code == 1
    assert "orders has no rollout under way; its stable revision is 3; see `seatrial history orders`" in shown.err


@pytest.mark.parametrize(("args", "asked"), [((), 4), (("--to", "1"), 1)])
def test_retry_tries_what_was_refused_last_or_what_is_named(
    settled: Any, seatrial: Run, args: tuple[str, ...], asked: int
) -> None:
    assert seatrial("retry", "orders", "--no-wait", *args).code == 0
    assert str(annotation(settled, asked)).startswith("retry/")


def test_what_succeeded_isnt_retried_without_its_name(harbour: Any, seatrial: Run) -> None:
    harbour.add(voyage.service(stable=1), voyage.revision(1, voyage.succeeded(1, revision=1), role="Stable"))
    said = seatrial("retry", "orders").err
    assert (
        "the newest attempt of orders, of revision 1, was Succeeded; name the revision to try again with --to" in said
    )


def test_a_rollback_in_a_rollout_goes_to_stable(rolling: Any, seatrial: Run) -> None:
    seatrial("rollback", "orders", "--no-wait")
    assert str(annotation(rolling, 3)).startswith("rollback/")


def test_a_rollback_after_a_rollout_goes_to_what_served_before(settled: Any, seatrial: Run) -> None:
    seatrial("rollback", "orders", "--no-wait")
    assert str(annotation(settled, 1)).startswith("rollback/")


def test_a_first_revision_has_nothing_to_go_back_to(harbour: Any, seatrial: Run) -> None:
    harbour.add(voyage.service(stable=1), voyage.revision(1, voyage.succeeded(1, revision=1), role="Stable"))
    assert "orders has no revision that served before; apply the template" in seatrial("rollback", "orders").err


def test_a_revision_that_isnt_there_is_told_with_those_that_are(settled: Any, seatrial: Run) -> None:
    said = seatrial("rollback", "orders", "--to", "2").err
    assert "orders has no revision 2; it has 1, 3, 4: name one of them with --to" in said


def test_a_status_written_meanwhile_is_no_hindrance(rolling: Any, seatrial: Run) -> None:
    looks: list[None] = []

    def meanwhile() -> None:
        looks.append(None)
        if len(looks) == 1:
            rolling.add(voyage.revision(4, voyage.shifting(4), role="Canary", version="2"))

    rolling.after_look = meanwhile
    assert seatrial("promote", "orders", "--no-wait").code == 0
    assert str(annotation(rolling, 4)).startswith("promote/")


def test_another_attempt_that_began_meanwhile_is_never_hit(rolling: Any, seatrial: Run) -> None:
    """Between the look and the write revision 4 was rolled back, and retried by somebody else."""
    rolling.after_look = lambda: rolling.add(
        voyage.revision(4, voyage.rolled_back(4), voyage.shifting(5, 90), role="Canary", version="2")
    )
    shown = seatrial("promote", "orders")
    assert shown.code == 1
    assert "promote wasn't asked: attempt 4, of revision 4, isn't the present one any more" in shown.err
    assert annotation(rolling, 4) is None


def test_a_rollout_that_ended_meanwhile_isnt_promoted(rolling: Any, seatrial: Run) -> None:
    def meanwhile() -> None:
        rolling.add(voyage.revision(4, voyage.rolled_back(4), version="2"))

    rolling.after_look = meanwhile
    assert "orders has no rollout under way" in seatrial("promote", "orders").err
    assert annotation(rolling, 4) is None


def test_a_silent_operator_is_told_with_what_will_happen(
    rolling: Any, seatrial: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    shown = seatrial("abort", "orders")
    assert shown.code == 1
    assert "abort of orders-4 isn't answered after 18 s: the operator may be down; it is done once when" in shown.err
    assert "kubectl annotate rev -n shop orders-4 seatrial.dev/verb-" in shown.err
    assert str(annotation(rolling, 4)).startswith("abort/")


def test_an_answer_that_waits_for_a_way_back_is_waited_for(
    rolling: Any, seatrial: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Going back to revision 1 begins when 4 has lost its traffic: that takes longer than an answer may."""
    hurry(monkeypatch)
    back = voyage.shifting(4).model_copy(update={"phase": Phase.ROLLING_BACK, "outcome": Phase.ABORTED})
    rolling.after_merge = lambda: rolling.add(voyage.revision(4, back, role="Canary"))
    looks: list[None] = []

    def meanwhile() -> None:
        looks.append(None)
        if len(looks) == 8:
            operator(rolling, message="revision 1 starts again")
            rolling.after_merge()

    rolling.after_look = meanwhile
    assert seatrial("rollback", "orders", "--to", "1").out == "orders-1: revision 1 starts again\n"


def test_a_verb_that_was_replaced_says_by_what(rolling: Any, seatrial: Run) -> None:
    def somebody_else() -> None:
        rolling.objects["Revision", "shop", "orders-4"]["metadata"]["annotations"][ANNOTATION_VERB] = "abort/1"

    rolling.after_merge = somebody_else
    assert "abort/1 took the place of promote/" in seatrial("promote", "orders").err


def test_a_missing_right_names_the_role_that_has_it(rolling: Any, seatrial: Run) -> None:
    rolling.refuses = Forbidden('revisions "orders-4" is forbidden: User "eve" cannot patch')
    said = seatrial("promote", "orders").err
    assert 'User "eve" cannot patch; ask for the role seatrial-edit, or edit, in namespace shop' in said


def test_a_mistyped_service_is_told_with_its_like(settled: Any, seatrial: Run) -> None:
    said = seatrial("promote", "order").err
    assert said == "seatrial: there is no MeshService order in namespace shop; did you mean orders?\n"


def test_a_service_of_another_namespace_is_pointed_at(settled: Any, seatrial: Run) -> None:
    settled.add({"kind": "Namespace", "metadata": {"name": "mine"}})
    assert "there is one in namespace shop: add -n shop" in seatrial("promote", "orders", "-n", "mine").err


def test_restart_marks_the_template_and_says_what_gives_way(rolling: Any, seatrial: Run) -> None:
    shown = seatrial("restart", "orders")
    marks = rolling.objects["MeshService", "shop", "orders"]["metadata"]["annotations"]
    assert marks["seatrial.dev/restart"].endswith("Z")
    assert "revision 4, which is being rolled out, gives way to it" in " ".join(shown.out.split())
