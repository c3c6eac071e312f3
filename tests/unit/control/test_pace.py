"""When a status is written: at once where something happened, else now and then."""

from typing import Any

import pytest

from seatrial.control.pace import APART, Pace, apart

ATTEMPT = {"number": 2, "phase": "Shifting", "weight": {"wanted": 10, "verified": 0}, "evidence": {"verdict": "Wait"}}
REVISION: dict[str, Any] = {
    "phase": "Shifting",
    "role": "Canary",
    "weight": {"wanted": 10, "verified": 0},
    "replicas": 2,
    "readyReplicas": 1,
    "message": "to 10 %",
    "brief": "more evidence",
    "attempts": [{"number": 1, "phase": "Succeeded"}, ATTEMPT],
    "conditions": [{"type": "Succeeded", "status": "Unknown", "reason": "Shifting", "message": "to 10 %"}],
}
SERVICE: dict[str, Any] = {"phase": "Shifting", "weight": {"wanted": 10, "verified": 0}, "readyReplicas": 1}


def waits(before: dict[str, Any], **changed: Any) -> float:
    """Seconds, one second after the last write."""
    pace = Pace()
    pace.wrote("uid", 100.0)
    return pace.wait("uid", before, before | changed, 101.0)


def attempt(**changed: Any) -> list[dict[str, Any]]:
    return [REVISION["attempts"][0], ATTEMPT | changed]


@pytest.mark.parametrize(
    "changed",
    [
        {"readyReplicas": 2},
        {"replicas": 3},
        {"message": "to 10 %; waiting for the proxies of a, b"},
        {"brief": "proxies to carry 10 %"},
        {"attempts": attempt(evidence={"verdict": "Better"})},
        {"conditions": [{"type": "Succeeded", "status": "Unknown", "reason": "Shifting", "message": "waiting"}]},
        {
            "weight": {"wanted": 90, "verified": 100},
            "attempts": REVISION["attempts"],
        },  # of stable, whose attempt is over
    ],
)
def test_what_is_only_read_waits(changed: dict[str, Any]) -> None:
    assert waits(REVISION, **changed) == APART - 1


@pytest.mark.parametrize(
    "changed",
    [
        {"phase": "Paused"},
        {"role": "Stable"},
        {"drainingSince": "2026-01-01T00:00:00Z"},
        {"answer": {"asked": "pause"}},
        {"attempts": attempt(weight={"wanted": 10, "verified": 10})},
        {"attempts": attempt(verifiedSince="2026-01-01T00:00:00Z")},
        {"conditions": [{"type": "Succeeded", "status": "True", "reason": "Shifting", "message": "to 10 %"}]},
    ],
)
def test_what_somebody_decides_by_is_written_at_once(changed: dict[str, Any]) -> None:
    assert waits(REVISION, **changed) == 0


@pytest.mark.parametrize(
    "changed", [{"weight": {"wanted": 10, "verified": 10}}, {"observedGeneration": 2}, {"url": "x"}]
)
def test_the_weight_of_a_service_is_written_at_once(changed: dict[str, Any]) -> None:
    assert waits(SERVICE, **changed) == 0


def test_nothing_waits_for_what_another_process_wrote() -> None:
    assert Pace().wait("uid", REVISION, REVISION | {"message": "x"}, 101.0) == 0


def test_it_is_written_in_the_end() -> None:
    pace = Pace()
    pace.wrote("uid", 100.0)
    assert pace.wait("uid", REVISION, REVISION | {"message": "x"}, 100.0 + APART) == 0


def test_only_late_writes_are_remembered() -> None:
    pace = Pace()
    for n in range(100):
        pace.wrote(f"uid-{n}", float(n))
    assert len(pace._wrote) <= APART + 1


def test_where_many_rollouts_are_under_way_they_take_turns() -> None:
    assert [apart(n) for n in (0, 1, 25, 50, 100)] == [APART, APART, APART, 5.0, 10.0]
    pace = Pace(lambda: apart(100))
    pace.wrote("uid", 100.0)
    assert pace.wait("uid", REVISION, REVISION | {"readyReplicas": 2}, 104.0) == 6.0
    assert pace.wait("uid", REVISION, REVISION | {"phase": "Promoting"}, 104.0) == 0
