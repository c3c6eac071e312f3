"""What the metrics tell of rollouts, and that nothing stays behind."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY, Metric

from seatrial.api.meshservice import Weight
from seatrial.api.revision import Attempt, Entry, Evidence, Phase, RevisionStatus, SloEvidence
from seatrial.control.gauges import Gauges
from seatrial.control.keys import ServiceKey
from seatrial.rollout.world import Decision, Routing, stamp

ORDERS = ServiceKey("shop", "orders")
BEGAN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def at(seconds: float) -> str:
    return stamp(BEGAN + timedelta(seconds=seconds))


def attempt(number: int, phase: Phase, *, ended: float | None = None, verdict: str = "") -> Attempt:
    history = [
        Entry(at=at(1), phase=Phase.STARTING, weight=0, reason=""),
        Entry(at=at(5), phase=Phase.SHIFTING, weight=5, reason=""),
        Entry(at=at(20), phase=Phase.SHIFTING, weight=25, reason=""),
    ]
    slos = [SloEvidence(name="errors", lower=-1.5, upper=3.0)]
    return Attempt(
        number=number,
        phase=phase,
        started_at=at(1),
        ended_at=None if ended is None else at(ended),
        history=history,
        evidence=Evidence(verdict=verdict, slos=slos) if verdict else None,
    )


def decision(canary: int | None, **attempts: Attempt) -> Decision:
    statuses = {
        int(name[1:]): RevisionStatus(phase=a.phase, weight=Weight(wanted=25, verified=5), attempts=[a])
        for name, a in attempts.items()
    }
    return Decision(stable=1, canary=canary, routing=Routing(), scales={}, statuses=statuses)


def samples(**labels: str) -> list[tuple[str, dict[str, str], float]]:
    found: list[Metric] = list(REGISTRY.collect())
    return [
        (s.name, s.labels, s.value)
        for metric in found
        for s in metric.samples
        if s.name.startswith("seatrial_") and labels.items() <= s.labels.items()
    ]


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"mesh_namespace": "shop", "mesh_service": "orders"} | labels)


def ends(outcome: str) -> float:
    return REGISTRY.get_sample_value("seatrial_rollout_ends_total", {"outcome": outcome}) or 0.0


@pytest.fixture
def gauges() -> Iterator[Gauges]:
    made = Gauges(BEGAN)
    yield made
    made.clear()


def test_an_attempt_under_way_is_told_with_its_times_weights_and_bounds(gauges: Gauges) -> None:
    done = attempt(1, Phase.SUCCEEDED, ended=-100)
    gauges.show(ORDERS, decision(2, r1=done, r2=attempt(2, Phase.SHIFTING, verdict="Better")))
    assert value("seatrial_rollout_phase_timestamp_seconds", revision="2", phase="Shifting") == BEGAN.timestamp() + 5
    assert value("seatrial_rollout_change_timestamp_seconds", revision="2") == BEGAN.timestamp() + 20
    assert value("seatrial_weight_percent", revision="2", kind="wanted") == 25
    assert value("seatrial_weight_percent", revision="2", kind="verified") == 5
    assert value("seatrial_rollout_verdict", revision="2", verdict="Better") == 1
    assert value("seatrial_rollout_difference_ratio", revision="2", slo="errors", bound="upper") == 0.03
    assert REGISTRY.get_sample_value("seatrial_rollouts", {"phase": "Shifting"}) == 1


def test_what_isnt_so_any_more_isnt_told_any_more(gauges: Gauges) -> None:
    gauges.show(
        ORDERS, decision(2, r1=attempt(1, Phase.SUCCEEDED, ended=0), r2=attempt(2, Phase.SHIFTING, verdict="Wait"))
    )
    gauges.show(ORDERS, decision(2, r2=attempt(2, Phase.PAUSED, verdict="Noisy")))
    assert value("seatrial_rollout_verdict", revision="2", verdict="Wait") is None
    assert value("seatrial_rollout_verdict", revision="2", verdict="Noisy") == 1
    assert value("seatrial_weight_percent", revision="1", kind="wanted") is None
    assert REGISTRY.get_sample_value("seatrial_rollouts", {"phase": "Shifting"}) is None


def test_an_end_is_told_and_counted_once(gauges: Gauges) -> None:
    before = ends("RolledBack")
    over = decision(None, r1=attempt(1, Phase.SUCCEEDED, ended=-9), r2=attempt(2, Phase.ROLLED_BACK, ended=30))
    for _ in range(3):
        gauges.show(ORDERS, over)
    assert ends("RolledBack") == before + 1
    assert value("seatrial_rollout_end_timestamp_seconds", revision="2", outcome="RolledBack") == BEGAN.timestamp() + 30
    assert value("seatrial_rollout_phase_timestamp_seconds", revision="2", phase="RolledBack") is None


def test_what_ended_before_the_process_began_isnt_counted_by_it(gauges: Gauges) -> None:
    before = ends("RolledBack")
    gauges.show(ORDERS, decision(None, r2=attempt(2, Phase.ROLLED_BACK, ended=-1)))
    assert ends("RolledBack") == before


def test_a_service_that_is_gone_leaves_no_series(gauges: Gauges) -> None:
    gauges.show(
        ORDERS, decision(2, r1=attempt(1, Phase.SUCCEEDED, ended=0), r2=attempt(2, Phase.SHIFTING, verdict="Wait"))
    )
    assert samples(mesh_service="orders")
    gauges.forget(ORDERS)
    assert samples(mesh_service="orders") == []


def test_who_isnt_leader_any_more_tells_nothing(gauges: Gauges) -> None:
    gauges.show(ORDERS, decision(2, r2=attempt(2, Phase.SHIFTING, verdict="Wait")))
    gauges.clear()
    assert samples(mesh_service="orders") == []
    gauges.show(ORDERS, decision(2, r2=attempt(2, Phase.SHIFTING)))
    assert value("seatrial_weight_percent", revision="2", kind="wanted") == 25
