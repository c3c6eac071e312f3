"""The log in a column: what is waited for, or why it ended, in a few words that stay the same while nothing happens."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.api.meshservice import Weight
from seatrial.api.revision import Attempt, Evidence, Phase, Share, SloEvidence
from seatrial.rollout.brief import WIDTH, brief
from seatrial.rollout.world import Mesh, Pods, Verdict, World, stamp
from support.sea import Sea, a_service

NOW = Sea(a_service()).now
JUDGED: dict[str, Any] = {"rollout": {"steps": [10, 50], "analysis": {}}}


READY = Pods(2, 2)
NOTHING = Evidence()


LONG_AGO = stamp(NOW - timedelta(hours=1))


def world(
    pods: Pods = READY,
    *,
    finding: str = "",
    allowed: int = 0,
    seen: Evidence = NOTHING,
    waiting: tuple[str, ...] = (),
    **spec: Any,
) -> World:
    there = replace(Sea(a_service(**spec)).world(), pods={2: pods}, mesh=Mesh(waiting_for=waiting))
    verdict = Verdict(finding, "", allowed, 0, seen)  # type: ignore[arg-type] # one of the findings
    return replace(there, verdict=verdict) if finding else there


def attempt(phase: Phase = Phase.SHIFTING, **more: object) -> Attempt:
    given = {"number": 1, "started_at": stamp(NOW), "verified_since": stamp(NOW), "weight": Weight(wanted=10)}
    return Attempt.model_validate({**given, "phase": phase, **more})


WORSE = Evidence(
    verdict="Worse",
    slos=[
        SloEvidence(name="latency", canary=Share(total=512, bad=5), stable=Share(total=9731, bad=90), lower=-1),
        SloEvidence(name="errors", canary=Share(total=512, bad=37), stable=Share(total=9731, bad=3), lower=4.9),
    ],
)


@pytest.mark.parametrize(
    ("seen", "tried", "text"),
    [
        (world(Pods(2, 1)), attempt(Phase.STARTING), "pods: 1 of 2 ready"),
        (world(Pods(2, 2)), attempt(Phase.STARTING), "proxies to know its pods"),
        (replace(world(), migrations={2: "running"}), attempt(Phase.STARTING), "the migration"),
        (world(Pods(2, 0, "image orders:3 can't be pulled: not found")), attempt(), "image orders:3 can't be pul…"),
        (world(waiting=("gateway-1",)), attempt(), "proxies to carry 10 %"),
        (world(), attempt(verified_since=None), "proxies to carry 10 %"),
        (world(), attempt(), "5s to pass"),
        (world(**JUDGED), attempt(), "evidence"),
        (world(finding="NoData", **JUDGED), attempt(), "requests: none seen yet"),
        (world(finding="NoData", seen=WORSE, **JUDGED), attempt(), "requests: none any more"),
        (world(finding="Noisy", **JUDGED), attempt(), "calm: stable itself varies"),
        (world(finding="Better", allowed=40, **JUDGED), attempt(), "more evidence"),
        (world(finding="Better", allowed=60, **JUDGED), attempt(), "5s to pass"),
        (world(finding="Better", allowed=60, **JUDGED), attempt(verified_since=LONG_AGO), "pods for the next step"),
        (world(finding="Wait", **JUDGED), attempt(promoted=True), "pods for all traffic"),
        (world(), attempt(Phase.PROMOTING), "pods that serve"),
        (world(rollout={"strategy": "blueGreen", "hold": "30s"}), attempt(Phase.PROMOTING), "30s to pass"),
        (world(paused=True), attempt(Phase.PAUSED), "spec.paused is true"),
        (world(), attempt(Phase.PAUSED), "a verb: resume or abort"),
        (world(), attempt(Phase.ROLLING_BACK), "back to stable"),
        (world(), attempt(Phase.ROLLING_BACK, evidence=WORSE), "errors 7.2 %, stable 0.031 %"),
        (world(), attempt(Phase.ROLLED_BACK, evidence=WORSE), "errors 7.2 %, stable 0.031 %"),
        (world(), attempt(Phase.ROLLED_BACK, decision="nobody judged the rollout"), "nobody judged the rollout"),
        (world(), attempt(Phase.FAILED, decision="not ready within 2m: crash"), "not ready within 2m: crash"),
        (world(), attempt(Phase.SUCCEEDED, decision="revision 2 is stable"), ""),
    ],
)
def test_it_says_what_is_waited_for_or_why_it_ended(seen: World, tried: Attempt, text: str) -> None:
    assert brief(seen, 2, tried) == text


@given(st.sampled_from(Phase), st.text(max_size=60), st.text(max_size=60), st.integers(0, 999))
def test_it_never_needs_more_than_its_column(phase: Phase, problem: str, decision: str, ready: int) -> None:
    assert len(brief(world(Pods(999, ready, problem)), 2, attempt(phase, decision=decision))) <= WIDTH
