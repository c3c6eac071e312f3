"""The log of a revision in a column of `kubectl get`: what an attempt waits for, or why it ended, in a few words.

It changes when something happens and never counts: each change of it is a write of a status.
"""

from seatrial.api.base import seconds
from seatrial.api.revision import Attempt, Evidence, Phase, Share
from seatrial.rollout import steps
from seatrial.rollout.sentences import number
from seatrial.rollout.world import World, moment

WIDTH = 28

_HINDRANCES = {
    "NoData": "requests: none seen yet",
    "Noisy": "calm: stable itself varies",
    "Suspect": "counters it can believe",
}


def brief(world: World, number: int, attempt: Attempt) -> str:
    """At most `WIDTH` characters."""
    text = _ended(attempt) if not attempt.phase.active else _ahead(world, number, attempt)
    return text if len(text) <= WIDTH else text[: WIDTH - 1].rstrip(" ,;:") + "…"


def _ahead(world: World, number: int, attempt: Attempt) -> str:
    if attempt.phase is Phase.ROLLING_BACK:
        return _worst(attempt.evidence) or "back to stable"
    if attempt.phase is Phase.PAUSED:
        return "spec.paused is true" if world.service.spec.paused else "a verb: resume or abort"
    return _pods(world, number, attempt) or _proxies(world, attempt) or _step(world, attempt)


def _pods(world: World, number: int, attempt: Attempt) -> str:
    pods = world.pods_of(number)
    wanted = max(pods.wanted, 1)
    if attempt.phase is Phase.STARTING and world.migrations.get(number) == "running":
        return "the migration"
    return pods.problem or ("" if pods.ready >= wanted else f"pods: {pods.ready} of {wanted} ready")


def _proxies(world: World, attempt: Attempt) -> str:
    if attempt.phase is Phase.STARTING:
        return "proxies to know its pods"
    carried = attempt.verified_since is not None and world.mesh.settled
    return "" if carried else f"proxies to carry {attempt.weight.wanted} %"


def _step(world: World, attempt: Attempt) -> str:
    rollout = world.service.spec.rollout
    if attempt.phase is Phase.PROMOTING:
        return f"{rollout.hold} to pass" if rollout.strategy == "blueGreen" else "pods that serve"
    if steps.is_sure(attempt):
        return "pods for all traffic"
    if steps.is_judged(world.service.spec) and (missing := _evidence(world, attempt)):
        return missing
    held = world.now - moment(attempt.verified_since or attempt.started_at)
    return f"{rollout.hold} to pass" if held.total_seconds() < seconds(rollout.hold) else "pods for the next step"


def _evidence(world: World, attempt: Attempt) -> str:
    """What is missing for the next step; empty where nothing is."""
    rollout, verdict = world.service.spec.rollout, world.verdict
    if verdict is None:
        return "evidence"
    if verdict.finding == "NoData" and any(slo.canary.total for slo in verdict.evidence.slos):
        return "requests: none any more"
    enough = verdict.allowed >= steps.following(rollout, attempt, attempt.weight.wanted, verdict)
    return _HINDRANCES.get(verdict.finding, "" if enough else "more evidence")


def _ended(attempt: Attempt) -> str:
    if attempt.phase is Phase.SUCCEEDED:
        return ""
    worst = _worst(attempt.evidence) if attempt.phase is Phase.ROLLED_BACK else ""
    return worst or attempt.decision


def _worst(evidence: Evidence | None) -> str:
    """The objective that was missed by most, where one was."""
    if evidence is None or evidence.verdict != "Worse" or not evidence.slos:
        return ""
    slo = max(evidence.slos, key=lambda s: s.lower)
    return f"{slo.name} {_percent(slo.canary)}, stable {_percent(slo.stable)}"


def _percent(share: Share) -> str:
    if not share.total:
        return "none"
    return f"{number(100 * share.bad / share.total)} %"
