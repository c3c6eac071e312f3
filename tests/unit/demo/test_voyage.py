from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.checks import judged_plain_text
from demo.rollout import Following
from demo.voyage import Check, Finding, Promotion, Rescue, Share, part, reasons, rescue, shares, stretches
from loadtests import Bound, Recording, Request
from loadtests.served_by import Hop
from seatrial.api.revision import Attempt, Phase, Revision


def stamp(second: float) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def attempt(*entries: tuple[float, Phase, int], ended: float | None = None) -> Attempt:
    history = [{"at": stamp(at), "phase": phase, "weight": weight, "reason": "why"} for at, phase, weight in entries]
    return Attempt.parse(
        {
            "number": 2,
            "phase": entries[-1][1],
            "startedAt": stamp(entries[0][0]),
            "endedAt": None if ended is None else stamp(ended),
            "history": history,
        }
    )


WHOLE = attempt(
    (100, Phase.STARTING, 0),
    (110, Phase.SHIFTING, 10),
    (120, Phase.SHIFTING, 50),
    (130, Phase.PROMOTING, 100),
    (132, Phase.SUCCEEDED, 100),
    ended=132,
)


def requests(*, since: int, until: int, revision: int, each: int = 10, status: int = 200) -> list[Request]:
    hops = (Hop("gateway", 1, "g"), Hop("orders", revision, "o"))
    return [
        Request(0, "GET /x", second + n / each, 0.0, 0.01, status, served_by=hops)
        for second in range(since, until)
        for n in range(each)
    ]


def recording(*parts: list[Request]) -> Recording:
    return Recording(tuple(sorted((r for part in parts for r in part), key=lambda r: r.intended)))


def test_a_stretch_reaches_from_when_the_proxies_carry_a_weight_to_when_the_next_is_asked_for() -> None:
    found = stretches(WHOLE, {10: stamp(111.5), 50: stamp(121), 100: stamp(131)}, began=90, ended=140)
    assert [(s.weight, s.since, s.until) for s in found] == [
        (0, 90, 110),
        (10, 111.5, 120),
        (50, 121, 130),
        (100, 132, 140),
    ]


def test_a_step_that_was_never_verified_has_no_stretch() -> None:
    assert [s.weight for s in stretches(WHOLE, {50: stamp(121)}, began=90, ended=140)] == [0, 50, 100]


def test_a_rollout_that_went_back_has_no_stretch_of_100_percent() -> None:
    back = attempt((100, Phase.STARTING, 0), (110, Phase.SHIFTING, 10), (115, Phase.ROLLED_BACK, 0), ended=115)
    assert [s.weight for s in stretches(back, {10: stamp(111)}, began=90, ended=140)] == [0]


def test_a_rollout_without_traffic_is_all_before() -> None:
    failed = attempt((100, Phase.STARTING, 0), (110, Phase.FAILED, 0), ended=110)
    assert [(s.weight, s.until) for s in stretches(failed, {}, began=90, ended=140)] == [(0, 140)]


def test_shares_are_counted_in_their_stretch_alone() -> None:
    load = Recording(tuple(requests(since=90, until=110, revision=1) + requests(since=132, until=140, revision=2)))
    parts = stretches(WHOLE, {10: stamp(111)}, began=90, ended=140)
    before, step, after = shares(load, "orders", 2, parts)
    assert (before.count, before.total, before.fits) == (0, 200, True)
    assert (step.count, step.total, step.fits) == (0, 0, False)
    assert (after.count, after.total, after.fits) == (80, 80, True)


@given(st.lists(st.floats(0, 100)), st.floats(0, 100), st.floats(0, 100))
def test_each_request_is_in_one_part_also_when_it_ends_in_the_next(due: list[float], one: float, other: float) -> None:
    load = Recording(tuple(Request(0, "GET /x", at, 0, 30, 200) for at in sorted(due)))
    first, second = sorted((one, other))
    parts = part(load, 0, first), part(load, first, second), part(load, second)
    assert tuple(request for each in parts for request in each.requests) == load.requests


def test_the_reason_for_each_weight_is_what_the_log_says_after_it() -> None:
    told = WHOLE.model_copy(
        update={
            "history": [
                entry.model_copy(update={"reason": reason})
                for entry, reason in zip(
                    WHOLE.history,
                    (
                        "revision 2 starts beside stable revision 1",
                        "to 10 %: 1 pod ready",
                        "to 50 %: canary 0 of 93 requests failed: all is well, 1 pod ready",
                        "to 100 %: canary 0 of 190 requests failed, 2 pods ready",
                        "revision 2 is stable",
                    ),
                    strict=True,
                )
            ]
        }
    )
    assert reasons(told) == (
        ("to 10 %", "1 pod ready"),
        ("to 50 %", "canary 0 of 93 requests failed: all is well, 1 pod ready"),
        ("to 100 %", "canary 0 of 190 requests failed, 2 pods ready"),
    )


def promotion(**changes: object) -> Promotion:
    good = {
        "revision": "orders-2",
        "phase": Phase.SUCCEEDED,
        "shares": (Share(10, 11, 100, Bound(0, 30)),),
        "reasons": (),
        "load": recording(requests(since=0, until=5, revision=1)),
    }
    return Promotion(**(good | changes))  # type: ignore[arg-type]


def test_a_promotion_as_it_should_be_has_no_faults() -> None:
    assert promotion().faults == ()


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"phase": Phase.ROLLED_BACK}, "orders-2 didn't succeed, it is RolledBack"),
        (
            {"shares": (Share(10, 50, 100, Bound(0, 30)),)},
            "at 10 % the new revision got 50 of 100 calls, outside of 0..30",
        ),
        ({"load": Recording((Request(0, "GET /x", 0, 0, 1, 503, "503 instead of 200"),))}, "1 times GET /x: 503 inst"),
    ],
)
def test_whatever_does_not_hold_of_a_promotion_is_a_fault(changes: dict[str, object], fault: str) -> None:
    (found,) = promotion(**changes).faults
    assert found.startswith(fault)


BACK = attempt(
    (200, Phase.STARTING, 0),
    (210, Phase.SHIFTING, 10),
    (214, Phase.ROLLING_BACK, 0),
    (216, Phase.ROLLED_BACK, 0),
    ended=216,
)
STABLE = requests(since=200, until=230, revision=2)
BAD = [
    *requests(since=211, until=214, revision=3, each=2),
    *requests(since=214, until=215, revision=3, each=2, status=500),
]


def rescued(*more: list[Request], made: Attempt = BACK) -> Rescue:
    status = {"attempts": [made.model_dump(by_alias=True)]}
    bad = Revision.parse(
        {
            "metadata": {"name": "orders-3"},
            "spec": {"service": "orders", "number": 3, "hash": "0", "template": {"image": "orders:dev"}},
            "status": status,
        }
    )
    return rescue(bad, made, recording(STABLE, BAD, *more))


def test_a_rescue_counts_from_the_first_request_of_the_bad_revision_to_the_decision() -> None:
    found = rescued()
    assert found.after == pytest.approx(3.0)
    assert (found.answered, found.harmed, found.total) == (8, 2, 308)
    assert found.faults == ()


def test_failures_of_the_bad_revision_are_expected_and_no_others() -> None:
    found = rescued(requests(since=212, until=213, revision=2, each=1, status=503))
    assert len(found.lost) == 1
    assert found.faults == ("1 times GET /x: 503",)


def test_a_bad_revision_that_goes_on_being_asked_is_a_fault() -> None:
    found = rescued(requests(since=218, until=219, revision=3, each=1))
    assert found.faults == ("after its end orders-3 got 1 of 141 calls",)


def test_a_bad_revision_that_stays_is_a_fault() -> None:
    stays = attempt((200, Phase.STARTING, 0), (210, Phase.SHIFTING, 10), (220, Phase.SUCCEEDED, 100), ended=220)
    assert rescued(made=stays).faults[0] == "orders-3 was not taken back, it is Succeeded"


def test_a_bad_revision_that_never_served_shows_nothing() -> None:
    load = recording(STABLE)
    revised = Revision.parse(
        {
            "metadata": {"name": "orders-3"},
            "spec": {"service": "orders", "number": 3, "hash": "0", "template": {"image": "orders:dev"}},
        }
    )
    failed = attempt((200, Phase.STARTING, 0), (210, Phase.FAILED, 0), ended=210)
    assert rescue(revised, failed, load).faults == (
        "orders-3 was not taken back, it is Failed",
        "orders-3 got no request, so nothing was shown by taking it back",
    )


def test_a_finding_has_the_faults_of_all_its_parts() -> None:
    checks = (Check("plain text", "orders answered 200", holds=False),)
    late = rescued(requests(since=218, until=219, revision=3, each=1))
    assert Finding(promotion(), checks, None).faults == ("plain text: orders answered 200",)
    assert Finding(promotion(phase=Phase.FAILED), (), late).faults == (
        "orders-2 didn't succeed, it is Failed",
        "after its end orders-3 got 1 of 141 calls",
    )
    assert Finding(promotion(), (), rescued()).faults == ()


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        ({"connected": True, "status": 0, "body": "", "error": "ConnectionResetError"}, True),
        ({"connected": True, "status": 0, "body": "", "error": "RemoteDisconnected"}, True),
        ({"connected": True, "status": 200, "body": "{}", "error": ""}, False),
        ({"connected": True, "status": 403, "body": "", "error": ""}, False),
        ({"connected": True, "status": 0, "body": "", "error": "TimeoutError"}, False),
        ({"connected": False, "status": 0, "body": "", "error": "gaierror"}, False),
    ],
)
def test_plain_text_is_refused_only_where_the_proxy_was_reached_and_cut_it_off(
    said: dict[str, object], *, holds: bool
) -> None:
    assert judged_plain_text(said).holds is holds


def revision(phase: str, wanted: int, verified: int, since: str | None) -> Revision:
    weight = {"wanted": wanted, "verified": verified}
    made = {"number": 1, "phase": phase, "startedAt": stamp(1), "weight": weight, "verifiedSince": since}
    return Revision.parse(
        {
            "metadata": {"name": "orders-2"},
            "spec": {"service": "orders", "number": 2, "hash": "0", "template": {"image": "orders:dev"}},
            "status": {"attempts": [made]},
        }
    )


def test_the_first_time_of_each_verified_weight_is_kept() -> None:
    following = Following()
    for state in (
        revision("Starting", 0, 0, None),
        revision("Shifting", 10, 0, None),
        revision("Shifting", 10, 10, stamp(5)),
        revision("Shifting", 50, 10, None),
        revision("Shifting", 50, 50, stamp(9)),
    ):
        following.take(state)
        assert not following.over
        assert not following.succeeded
    assert following.verified == {10: stamp(5), 50: stamp(9)}
    following.take(revision("Succeeded", 100, 100, stamp(11)))
    assert following.over
    assert following.succeeded
