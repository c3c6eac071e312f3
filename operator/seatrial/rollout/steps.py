"""What the next weight is, and whether it may be given: the steps of a strategy, and the evidence for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Literal

from seatrial.api.meshservice import MeshServiceSpec
from seatrial.api.revision import Attempt
from seatrial.api.rollouts import Analysis, Rollout
from seatrial.rollout.world import Verdict

FIRST_WEIGHT = 5  # percent, where the evidence chooses
LEAST_GROWTH = 1.5  # of a weight that the evidence chooses: each change of routes costs a push to every caller

_BEFORE_THE_PUBLIC = frozenset({"blueGreen", "abTest", "mirror"})
_ALL_AT_ONCE = frozenset({"none", "blueGreen", "abTest"})


Action = Literal["step", "wait", "pause", "rollback"]

_CHOSEN: Mapping[str, Action] = {"wait": "wait", "pause": "pause", "rollback": "rollback", "promote": "step"}


@dataclass(frozen=True)
class Gate:
    """Whether a step may be taken, and why; else what happens instead."""

    action: Action
    why: str = ""


def is_sure(attempt: Attempt) -> bool:
    """Whether somebody decided already: it goes to 100 % without waiting for evidence."""
    return attempt.promoted or attempt.cause == "Rollback"


def is_judged(spec: MeshServiceSpec) -> bool:
    """Whether there is an analysis."""
    return spec.rollout.analysis is not None


def _calls_nobody(spec: MeshServiceSpec, verdict: Verdict | None) -> bool:
    """Whether there is nothing to count: nobody calls the service, and no revision of it asked anything of others.

    Then the hold is all that is left, with readiness and restarts, which are looked at in any case.
    """
    if spec.service_ports or spec.rollout.analysis is None or spec.rollout.analysis.source != "proxies":
        return False
    slos = verdict.evidence.slos if verdict is not None else []
    return not any(slo.canary.total or slo.stable.total for slo in slos)


def begins_unseen(rollout: Rollout, attempt: Attempt) -> bool:
    """Whether it is tried on marked or mirrored requests before the public's."""
    return rollout.strategy in _BEFORE_THE_PUBLIC and not is_sure(attempt)


def following(rollout: Rollout, attempt: Attempt, weight: int, verdict: Verdict | None) -> int:
    """The weight that comes after `weight`: by weight and not by index, so that edited steps take effect at once."""
    if is_sure(attempt) or rollout.strategy in _ALL_AT_ONCE:
        return 100
    if rollout.steps or rollout.analysis is None:
        return next((step for step in rollout.steps if step > weight), 100)
    if weight == 0:
        return FIRST_WEIGHT
    return min(100, max(ceil(weight * LEAST_GROWTH), verdict.allowed if verdict else 0))


def gate(spec: MeshServiceSpec, attempt: Attempt, weight: int, verdict: Verdict | None, *, overdue: bool) -> Gate:
    """Whether the attempt may have `weight` next. `overdue`: the present step has lasted for its `stepTimeout`."""
    analysis = spec.rollout.analysis
    if analysis is None or is_sure(attempt) or _calls_nobody(spec, verdict):
        return Gate("step", f"held for {spec.rollout.hold}")
    if verdict is not None and verdict.allowed >= weight:
        return Gate("step", verdict.reason)
    if verdict is None or not overdue:
        return Gate("wait")
    return _undecided(analysis, verdict)


def _undecided(analysis: Analysis, verdict: Verdict) -> Gate:
    """What was asked for when the time of a step is over; but no step by figures that are suspect or have a gap."""
    few = verdict.requests < max(1, analysis.min_requests)
    action = _CHOSEN[analysis.on_no_traffic if few else analysis.on_inconclusive]
    if action == "step" and verdict.finding == "Suspect":
        action = "pause"
    if action == "step" and few and verdict.evidence.silent:
        action = "wait"  # whose requests aren't known may have had all there were
    if few:
        return Gate(action, f"{verdict.requests} requests within {analysis.step_timeout}, too few to judge")
    return Gate(action, f"no verdict within {analysis.step_timeout}: {verdict.reason}")
