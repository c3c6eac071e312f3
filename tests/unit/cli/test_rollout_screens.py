"""What `status`, `history`, `explain` and `watch` show of a rollout, on 100 and on 80 columns."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from seatrial.api.revision import Evidence, Phase, Revision, Share, SloEvidence
from seatrial.cli import looking
from seatrial.cli.ahead import ahead, undecided
from seatrial.cli.figures import difference
from seatrial.cli.lines import Teller
from seatrial.cli.seen import Seen, seen
from support import voyage

Run = Callable[..., Any]
STABLE = voyage.revision(3, voyage.succeeded(3, revision=3), role="Stable")


def service(**fields: Any) -> dict[str, Any]:
    wanted: dict[str, Any] = {"template": 4, "phase": "Shifting", "stable": 3, "canary": 4, "weight": (25, 25)}
    return voyage.service(**(wanted | {"rollout": {"analysis": {}}} | fields))


def ended() -> tuple[dict[str, Any], ...]:
    return (
        service(phase="RolledBack", canary=None, target=4, weight=(0, 0)),
        STABLE,
        voyage.revision(4, voyage.rolled_back(4)),
    )


def told(obj: dict[str, Any], *revisions: dict[str, Any]) -> Seen:
    return seen(obj, [Revision.parse(r) for r in revisions])


def rolling(attempt: dict[str, Any] | None = None, **fields: Any) -> Seen:
    return told(service(**fields), STABLE, voyage.revision(4, voyage.shifting(4, **(attempt or {})), role="Canary"))


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


STATUS_80 = """\
orders  in shop  Shifting  http://shop.localhost/

stable    revision 3, 2 of 2 pods ready, seatrial/orders:3
canary    revision 4, 2 of 2 pods ready, seatrial/orders:4
weight    25 % of requests, as the proxies carry it
steps     5  [25]  50  100

evidence  since 10:01:04, as of 10:01:16 UTC, bounds at 95 %
SLO       CANARY BAD          STABLE BAD           DIFFERENCE IN POINTS
errors      0 of 512     0 %  3 of 9,731  0.031 %  -2.1 to +3.1
attempts    1 of 513  0.19 %  7 of 9,735  0.072 %  at most +1.9
verdict   Wait: canary 0 of 512 requests failed, stable 3 of 9,731 (0.03 %),
          worse by at most 3.1 points at 95 %

next      50 %, when the upper bound of each difference is 2 points at most (by
          now errors: 3.1)
or        without a verdict by 10:06:11: pause, or wait where it had fewer than
          50 requests

REVISION  ROLE    WEIGHT  PODS  PHASE      LOG
       4  Canary    25 %   2/2  Shifting   to 25 %: errors are no worse, 1 pod
                                           ready
       3  Stable   100 %   2/2  Succeeded  revision 3 is stable

how revision 4 fared (UTC)
AT        WEIGHT  PHASE     WHY
10:01:00     0 %  Starting  revision 4 starts beside stable revision 3
10:01:04     5 %  Shifting  to 5 %: 1 pod ready
10:01:10    25 %  Shifting  to 25 %: errors are no worse, 1 pod ready
"""


def test_one_screen_tells_of_a_rollout_whole_on_80_columns(harbour: Any, seatrial: Run) -> None:
    harbour.add(service(), STABLE, voyage.revision(4, voyage.shifting(4), role="Canary"))
    assert lines(seatrial("status", "orders").out) == STATUS_80.splitlines()


def test_on_100_columns_its_sentences_need_fewer_lines(
    harbour: Any, seatrial: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    harbour.add(service(), STABLE, voyage.revision(4, voyage.shifting(4), role="Canary"))
    monkeypatch.setenv("COLUMNS", "100")
    shown = lines(seatrial("status", "orders").out)
    assert "or        without a verdict by 10:06:11: pause, or wait where it had fewer than 50 requests" in shown
    assert max(map(len, shown)) <= 100
    assert len(shown) < len(STATUS_80.splitlines())


def test_callers_that_were_silent_are_named(harbour: Any, seatrial: Run) -> None:
    known = voyage.shifting(4).evidence
    assert known is not None
    silent = known.model_copy(update={"silent": ["gateway-1-x", "gateway-1-y"], "restarts": 1})
    harbour.add(service(), STABLE, voyage.revision(4, voyage.shifting(4, evidence=silent)))
    shown = lines(seatrial("status", "orders").out)
    assert "silent    gateway-1-x, gateway-1-y could not be asked at the last look" in shown
    assert any(line.startswith("restarts  counting began anew once") for line in shown)


def test_after_a_rollback_it_says_how_to_try_again(harbour: Any, seatrial: Run) -> None:
    harbour.add(*ended())
    shown = " ".join(seatrial("status", "orders").out.split())
    assert "next nothing until the template changes; `seatrial retry orders` tries revision 4 again" in shown
    assert "RolledBack the proxies send it nothing any more" in shown


def test_colour_is_for_terminals_only(harbour: Any, seatrial: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    harbour.add(*ended())
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b" not in seatrial("status", "orders").out


def test_programs_arent_given_the_operators_own_notes(harbour: Any, seatrial: Run) -> None:
    known = Evidence(verdict="Wait", checkpoint="secret of the operator")
    harbour.add(service(), STABLE, voyage.revision(4, voyage.shifting(4, evidence=known)))
    for command in ("status", "history", "explain"):
        out = seatrial(command, "orders", "-o", "json").out
        assert "checkpoint" not in out
        assert '"verdict": "Wait"' in out


@pytest.mark.parametrize(
    ("attempt", "fields", "says"),
    [
        ({"phase": Phase.STARTING, "weight": {}}, {}, "5 % once its pods are ready"),
        ({"weight": {"wanted": 25, "verified": 5}, "verifiedSince": None}, {}, "50 %, when the proxies carry 25 %"),
        ({"evidence": None}, {}, "50 %, when its hold ends at 10:01:16, it answered 50 requests (by now 0)"),
        ({"held": True}, {}, "nothing before `seatrial resume orders`, or promote, or abort"),
        ({}, {"paused": True}, "nothing while spec.paused is true"),
        ({"promoted": True}, {}, "100 % at the next look"),
        ({}, {"rollout": {}}, "50 % at the next look"),
        ({}, {"rollout": {"steps": [], "analysis": {}}}, "38 % or more, when the upper bound"),
        ({}, {"replicas": 8, "rollout": {}}, "50 %, when 4 pods of it are ready (by now 2)"),
        ({"weight": {"wanted": 100, "verified": 50}}, {}, "revision 4 is stable once the proxies carry 100 %"),
        (
            {"phase": Phase.ROLLING_BACK, "outcome": Phase.ABORTED},
            {},
            "Aborted once no proxy sends revision 4 anything",
        ),
    ],
)
def test_what_comes_next_is_told_with_what_it_waits_for(
    attempt: dict[str, Any], fields: dict[str, Any], says: str
) -> None:
    assert ahead(rolling(attempt, **fields)).startswith(says)


def test_a_first_revision_gets_all_requests_at_once() -> None:
    first = voyage.revision(1, voyage.shifting(1, phase=Phase.STARTING, weight={}))
    assert ahead(told(voyage.service(canary=1), first)) == "all requests once its pods are ready"


def test_nothing_follows_what_succeeded() -> None:
    there = told(voyage.service(template=3, stable=3), STABLE)
    assert ahead(there) == undecided(there) == ""


def test_what_is_surely_decided_has_no_timeout() -> None:
    assert undecided(rolling()).startswith("without a verdict by 10:06:11: pause")
    assert undecided(rolling({"promoted": True})) == ""
    assert undecided(rolling(rollout={})) == ""


@pytest.mark.parametrize(
    ("lower", "upper", "says"),
    [
        (4.9, 9.9, "+4.9 to +9.9"),
        (-100, 1.94, "at most +1.9"),
        (0.5, 100, "at least +0.5"),
        (-100, 100, "not known yet"),
    ],
)
def test_a_difference_is_told_as_far_as_it_is_bounded(lower: float, upper: float, says: str) -> None:
    assert difference(SloEvidence(name="errors", lower=lower, upper=upper)) == says


HISTORY_80 = """\
#1   orders-2  Nov 21 10:00:20 UTC  RolledBack  in 12 s  0 → 5 → 0 %
     canary 37 of 512 requests failed (7.2 %), stable 3 of 9,731 (0.03 %), worse
     by at least 4.9 points at 95 %, rolled back after 6.4 s at 5 %
#3   orders-3  Nov 21 10:00:00 UTC  Succeeded  in 10 s  0 → 100 %
     revision 3 is stable
#4   orders-4  Nov 21 10:01:00 UTC  Shifting  0 → 5 → 25 %
     to 25 %: errors are no worse, 1 pod ready
#5   orders-2  Nov 21 10:02:00 UTC  Succeeded  in 10 s  0 → 100 %  (rollback)
     revision 2 is stable
"""


def test_the_log_has_the_attempts_of_all_revisions_in_their_order(harbour: Any, seatrial: Run) -> None:
    back = voyage.succeeded(5, 120, revision=2, cause="Rollback")
    harbour.add(service(), STABLE, voyage.revision(4, voyage.shifting(4)))
    harbour.add(voyage.revision(2, voyage.rolled_back(1, 20), back))
    assert lines(seatrial("history", "orders").out) == HISTORY_80.splitlines()
    records = json.loads(seatrial("history", "orders", "-o", "json").out)
    assert [(r["number"], r["name"], r["phase"]) for r in records] == [
        (1, "orders-2", "RolledBack"),
        (3, "orders-3", "Succeeded"),
        (4, "orders-4", "Shifting"),
        (5, "orders-2", "Succeeded"),
    ]


EXPLAINED_100 = """\
orders-4, attempt 4: RolledBack

Revision 4 (seatrial/orders:4) was tried from Nov 21 10:01:00 UTC on, because the template changed.
Its first share, 5 %, came 4.0 s after it began. 6.4 s after that all of it was taken away.
It was rolled back after 12 s: canary 37 of 512 requests failed (7.2 %), stable 3 of 9,731 (0.03 %),
worse by at least 4.9 points at 95 %, rolled back after 6.4 s at 5 %.

What was counted from 10:01:04 to 10:01:10 UTC:
- errors: new 37 of 512 bad (7.2 %), stable 3 of 9,731 bad (0.031 %). Worse by at least 4.9 points
and by at most 9.9 points, at 95 %.

The rule, as the policy is now: a revision goes back as soon as it is surely (95 %) worse than
stable by more than 1 point (toleratePercentPoints), or more than 1 % of requests fail
(maxErrorPercent). It gets a weight once, at that weight, it surely costs all users together no more
than 1 point.

the log (UTC)
AT        WEIGHT  PHASE        WHY
10:01:00     0 %  Starting     revision 4 starts beside stable revision 3
10:01:04     5 %  Shifting     to 5 %: 1 pod ready
10:01:10     0 %  RollingBack  canary 37 of 512 requests failed (7.2 %), stable 3 of 9,731 (0.03 %),
                               worse by at least 4.9 points at 95 %, rolled back after 6.4 s at 5 %
10:01:11     0 %  RolledBack   the proxies send it nothing any more
"""


def test_a_decision_is_explained_in_sentences_with_its_numbers(
    harbour: Any, seatrial: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    harbour.add(*ended())
    monkeypatch.setenv("COLUMNS", "100")
    shown = lines(seatrial("explain", "orders-4").out)
    assert shown == EXPLAINED_100.splitlines()
    assert lines(seatrial("explain", "orders").out) == shown


def test_a_revision_that_was_tried_alone_is_explained_by_what_it_failed_itself(harbour: Any, seatrial: Run) -> None:
    alone = SloEvidence(name="errors", canary=Share(total=600), upper=0.741)
    attempt = voyage.shifting(4, evidence=Evidence(verdict="Better", reason="fine", slos=[alone]))
    harbour.add(service(), STABLE, voyage.revision(4, attempt, role="Canary"))
    shown = " ".join(seatrial("explain", "orders-4").out.split())
    assert "no traffic to compare with. Worse by at most 0.74 points, at 95 %." in shown


def test_an_older_attempt_is_explained_by_its_number(harbour: Any, seatrial: Run) -> None:
    twice = voyage.revision(4, voyage.rolled_back(4), voyage.shifting(5, 120, cause="Retry"))
    harbour.add(service(), STABLE, twice)
    assert "orders-4, attempt 5: Shifting" in seatrial("explain", "orders-4").out
    assert "the verb retry asked for it" in seatrial("explain", "orders-4").out
    assert "orders-4, attempt 4: RolledBack" in seatrial("explain", "orders-4", "--attempt", "4").out
    assert "orders-4 has no attempt 9; its attempts that are kept: 4, 5" in (
        seatrial("explain", "orders-4", "--attempt", "9").err
    )


def test_a_revision_that_isnt_there_is_told_with_its_like(harbour: Any, seatrial: Run) -> None:
    harbour.add(*ended())
    assert "there is no Revision orders-44 in namespace shop; did you mean orders-4" in (
        seatrial("explain", "orders-44").err
    )


def test_each_change_is_a_line_and_said_once() -> None:
    teller = Teller()
    assert teller.lines(rolling()) == ["orders: revision 4 Shifting at 25 %, stable revision 3"]
    assert teller.lines(rolling()) == []
    assert teller.lines(told(*ended())) == [
        f"10:01:10 orders-4   0 % RollingBack: {voyage.WORSE}",
        "10:01:11 orders-4   0 % RolledBack: the proxies send it nothing any more",
    ]


def test_a_verdict_that_the_log_tells_isnt_said_twice() -> None:
    """The reason of a step is that of its evidence."""
    known = voyage.shifting(4).evidence
    assert known is not None
    step = voyage.entry(76, Phase.SHIFTING, 50, f"to 50 %: {known.reason}, 2 pods ready")
    attempt = voyage.shifting(4, history=[step])
    teller = Teller()
    teller.lines(told(service(), STABLE))
    said = teller.lines(told(service(), STABLE, voyage.revision(4, attempt)))
    assert [line for line in said if known.reason in line] == [f"10:01:16 orders-4  50 % Shifting: {step.reason}"]


def test_the_same_verdict_a_moment_later_is_no_news() -> None:
    known = voyage.shifting(4).evidence
    assert known is not None
    teller = Teller()
    teller.lines(rolling())
    assert teller.lines(rolling({"evidence": known.model_copy(update={"at": voyage.at(90)})})) == []
    (line,) = teller.lines(rolling({"evidence": known.model_copy(update={"at": voyage.at(95), "verdict": "Noisy"})}))
    assert line.startswith("10:01:35 orders-4  25 % Noisy: canary 0 of 512")


def test_a_line_of_a_log_is_never_wrapped(harbour: Any, seatrial: Run) -> None:
    harbour.add(*ended())
    assert seatrial("wait", "orders").out.splitlines()[-1] == f"orders: RolledBack: {voyage.WORSE}"


def test_the_revisions_tell_their_end_in_a_few_words(harbour: Any, seatrial: Run) -> None:
    harbour.add(*ended(), voyage.revision(2, voyage.rolled_back(2, 20), brief="errors +4.9 points"))
    assert any(line.endswith("RolledBack  errors +4.9 points") for line in lines(seatrial("status", "orders").out))


def test_an_answer_to_a_verb_is_a_line_too() -> None:
    teller = Teller()
    teller.lines(rolling())
    answer = {"asked": "pause/1", "at": voyage.at(90), "done": False, "message": "it has all traffic already"}
    asked = voyage.revision(4, voyage.shifting(4), role="Canary", answer=answer)
    assert teller.lines(told(service(), STABLE, asked)) == [
        "10:01:30 orders-4 pause refused: it has all traffic already"
    ]


def test_watching_without_a_terminal_prints_lines_until_it_is_interrupted(
    harbour: Any, seatrial: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "EVERY", 0.01)
    harbour.add(service(), STABLE, voyage.revision(4, voyage.shifting(4)))
    looks: list[None] = []

    def meanwhile() -> None:
        looks.append(None)
        harbour.add(*ended())
        if len(looks) == 3:
            raise KeyboardInterrupt

    harbour.after_look = meanwhile
    shown = seatrial("watch", "orders")
    assert shown.code == 0
    assert shown.out.splitlines()[0] == "orders: revision 4 Shifting at 25 %, stable revision 3"
    assert shown.out.splitlines()[-1] == "10:01:11 orders-4   0 % RolledBack: the proxies send it nothing any more"


def test_watching_on_a_terminal_shows_the_screen_of_status(
    harbour: Any, seatrial: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "terminal", lambda: True)

    async def interrupted(_: float) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", interrupted)
    harbour.add(service(), STABLE, voyage.revision(4, voyage.shifting(4)))
    with pytest.raises(asyncio.CancelledError):
        seatrial("watch", "orders")
