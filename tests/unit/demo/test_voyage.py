from datetime import UTC, datetime

import pytest

from demo.checks import judged_plain_text
from demo.rollout import Following, change
from demo.voyage import Check, Finding, Share, shares, stretches
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


def requests(*, since: int, until: int, revision: int, each: int = 10) -> list[Request]:
    hops = (Hop("gateway", 1, "g"), Hop("orders", revision, "o"))
    return [
        Request(0, "GET /x", second + part / each, 0.0, 0.01, 200, served_by=hops)
        for second in range(since, until)
        for part in range(each)
    ]


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


def finding(**changes: object) -> Finding:
    good = {
        "revision": "orders-2",
        "phase": Phase.SUCCEEDED,
        "shares": (Share(10, 11, 100, Bound(0, 30)),),
        "load": Recording(tuple(requests(since=0, until=5, revision=1))),
        "checks": (Check("identity", "orders saw gateway", holds=True),),
    }
    return Finding(**(good | changes))  # type: ignore[arg-type]


def test_a_voyage_as_it_should_be_has_no_faults() -> None:
    assert finding().faults == ()


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"phase": Phase.ROLLED_BACK}, "orders-2 didn't succeed, it is RolledBack"),
        (
            {"shares": (Share(10, 50, 100, Bound(0, 30)),)},
            "at 10 % the new revision got 50 of 100 calls, outside of 0..30",
        ),
        ({"load": Recording((Request(0, "GET /x", 0, 0, 1, 503, "503 instead of 200"),))}, "1 times GET /x: 503 inst"),
        ({"checks": (Check("plain text", "orders answered 200", holds=False),)}, "plain text: orders answered 200"),
    ],
)
def test_whatever_does_not_hold_is_a_fault(changes: dict[str, object], fault: str) -> None:
    (found,) = finding(**changes).faults
    assert found.startswith(fault)


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
    assert following.verified == {10: stamp(5), 50: stamp(9)}
    following.take(revision("Succeeded", 100, 100, stamp(11)))
    assert following.over


def test_the_change_is_another_template_each_time() -> None:
    assert change("demo-1", [10], "8s")["spec"]["env"] != change("demo-2", [10], "8s")["spec"]["env"]
