"""What is said of a decision: the statuses of Revisions and MeshService, with conditions that carry a remedy."""

from collections.abc import Mapping
from dataclasses import dataclass

from seatrial.api.conditions import Condition, Truth, merge
from seatrial.api.meshservice import MeshServiceStatus, Weight
from seatrial.api.names import LABEL_SERVICE
from seatrial.api.revision import Phase, RevisionStatus
from seatrial.rollout import capacity
from seatrial.rollout.brief import brief
from seatrial.rollout.world import Decision, World, stamp


@dataclass(frozen=True)
class Findings:
    """What was found around a MeshService, in sentences that name the field, the value and the remedy.

    `refused` says why the present spec isn't accepted (the last good one goes on serving), with `refused_reason` in
    CamelCase; `unresolved` what it refers to and isn't there; `advice` what is legal and doubtful; `unverified` why the
    callers' proxies can't be asked.
    """

    refused: tuple[str, ...] = ()
    refused_reason: str = "Invalid"
    unresolved: tuple[str, ...] = ()
    unresolved_reason: str = "NotFound"
    advice: tuple[str, ...] = ()
    unverified: str = ""
    url: str | None = None


def tell(world: World, decision: Decision, statuses: Mapping[int, RevisionStatus]) -> dict[int, RevisionStatus]:
    """Fill in what is derived: role, weight, pods, and the condition that `kubectl wait` waits for."""
    return {number: _told(world, decision, number, status) for number, status in statuses.items()}


def _told(world: World, decision: Decision, number: int, status: RevisionStatus) -> RevisionStatus:
    attempt = status.attempt
    pods = world.pods_of(number)
    role = {decision.stable: "Stable", decision.canary: "Canary"}.get(number, "Kept")
    verified = attempt.weight.verified if attempt and attempt.phase.active else world.mesh.live.weights.get(number, 0)
    message = attempt.history[-1].reason if attempt and attempt.history else ""
    if attempt and attempt.phase.active and (hindrance := _hindrance(world, number)):
        message = f"{message}; {hindrance}" if message else hindrance
    conditions: list[Condition] = []
    if attempt is not None:
        done: Truth = "Unknown" if attempt.phase.active else "True" if attempt.phase is Phase.SUCCEEDED else "False"
        seen = max((r.metadata.generation for r in world.revisions if r.spec.number == number), default=1)
        new = Condition(
            type="Succeeded", status=done, reason=attempt.phase.value, message=message, observed_generation=seen
        )
        conditions = merge(status.conditions, [new], stamp(world.now))
    return status.model_copy(
        update={
            "phase": attempt.phase if attempt else None,
            "role": role,
            "weight": Weight(wanted=decision.routing.weights.get(number, 0), verified=verified),
            "replicas": pods.wanted,
            "ready_replicas": pods.ready,
            "message": message,
            "brief": brief(world, number, attempt) if attempt else "",
            "conditions": conditions,
        }
    )


def _hindrance(world: World, number: int) -> str:
    """What an active attempt waits for, where it isn't just time."""
    pods = world.pods_of(number)
    if pods.problem:
        return pods.problem
    if waiting := world.mesh.waiting_for:
        others = f" and {len(waiting) - 3} more" if len(waiting) > 3 else ""
        return f"waiting for the proxies of {', '.join(waiting[:3])}{others}"
    if pods.ready < pods.wanted:
        return f"{pods.ready} of {pods.wanted} pods ready"
    return ""


def report(world: World, decision: Decision, findings: Findings) -> MeshServiceStatus:
    """The MeshService's status after a decision. Transition times move only where a condition's status did."""
    service = world.service
    conditions = [
        _accepted(findings),
        _resolved(findings),
        _ready(world, decision),
        _progressing(decision),
        _advice(world, findings),
    ]
    generation = service.metadata.generation
    conditions = [c.model_copy(update={"observed_generation": generation}) for c in conditions]
    canary_weight = decision.routing.weights.get(decision.canary, 0) if decision.canary is not None else 0
    verified = decision.statuses[decision.canary].weight if decision.canary is not None else None
    target = next((r.spec.number for r in world.revisions if r.spec.hash == world.template_hash), None)
    return MeshServiceStatus(
        observed_generation=generation,
        phase=_phase(world, decision, findings),
        brief=_brief(decision, findings),
        stable_revision=decision.stable,
        canary_revision=decision.canary,
        target_revision=target if target is not None else service.status.target_revision,
        weight=Weight(wanted=canary_weight, verified=verified.verified if verified else 0),
        replicas=sum(p.wanted for p in world.pods.values()),
        ready_replicas=sum(p.ready for p in world.pods.values()),
        selector=f"{LABEL_SERVICE}={service.metadata.name}",
        url=findings.url,
        accepted_spec=service.status.accepted_spec,
        conditions=merge(service.status.conditions, conditions, stamp(world.now)),
    )


def _brief(decision: Decision, findings: Findings) -> str:
    """The log of what is on its way, or of what was refused last."""
    if findings.refused:
        return f"spec: {findings.refused_reason}"
    told = decision.canary if decision.canary is not None else _last_refused(decision)
    status = decision.statuses.get(told) if told is not None else None
    return status.brief if status is not None else ""


def _accepted(findings: Findings) -> Condition:
    if findings.refused:
        message = f"{'; '.join(findings.refused)} (the last good spec goes on serving)"
        return Condition(type="Accepted", status="False", reason=findings.refused_reason, message=message)
    return Condition(type="Accepted", status="True", reason="Accepted")


def _resolved(findings: Findings) -> Condition:
    if findings.unresolved:
        message = "; ".join(findings.unresolved)
        return Condition(type="ResolvedRefs", status="False", reason=findings.unresolved_reason, message=message)
    return Condition(type="ResolvedRefs", status="True", reason="ResolvedRefs")


def _advice(world: World, findings: Findings) -> Condition:
    unanswered = world.verdict.evidence.problems if world.verdict else []
    message = "; ".join(m for m in (*findings.advice, findings.unverified, *unanswered) if m)
    if message:
        return Condition(type="PolicyAdvice", status="True", reason="Doubtful", message=message)
    return Condition(type="PolicyAdvice", status="False", reason="NothingToSay")


def _bearer(world: World, decision: Decision) -> int | None:
    """The revision that has most of the requests: stable, or one on its way to be it."""
    weights = world.mesh.live.weights
    if decision.stable is None or not world.service.spec.service_ports:
        return decision.stable
    return max(weights, key=lambda n: (weights[n], n == decision.stable), default=None)


def _serving(world: World, decision: Decision) -> bool:
    bearer = _bearer(world, decision)
    return bearer is not None and (world.pods_of(bearer).ready > 0 or not capacity.is_asked_for(world.service.spec))


def _ready(world: World, decision: Decision) -> Condition:
    if _serving(world, decision):
        bearer = _bearer(world, decision)
        pods = world.pods_of(bearer)
        message = f"revision {bearer} serves with {pods.ready} of {pods.wanted} pods"
        return Condition(type="Ready", status="True", reason="Serving", message=message)
    pods = world.pods_of(decision.stable)
    if decision.stable is None:
        first = world.pods_of(decision.canary)
        message = first.problem or "the first revision isn't ready yet"
        return Condition(type="Ready", status="False", reason="NotYet", message=message)
    message = pods.problem or f"no pod of stable revision {decision.stable} is ready"
    return Condition(type="Ready", status="False", reason="NoPods", message=message)


def _progressing(decision: Decision) -> Condition:
    if decision.canary is not None:
        status = decision.statuses[decision.canary]
        reason = (status.phase or Phase.STARTING).value
        return Condition(type="Progressing", status="True", reason=reason, message=status.message)
    if refused := _last_refused(decision):
        attempt = decision.statuses[refused].attempt
        phase, why = (attempt.phase.value, attempt.decision) if attempt else ("", "")
        return Condition(type="Progressing", status="False", reason=phase, message=f"revision {refused}: {why}")
    return Condition(type="Progressing", status="False", reason="Settled")


def _last_refused(decision: Decision) -> int | None:
    """The revision of the newest attempt of all, where that one didn't make it."""
    attempts = [(s.attempt.number, n, s.attempt.phase) for n, s in decision.statuses.items() if s.attempt]
    if not attempts:
        return None
    _, number, phase = max(attempts)
    return number if phase.refused else None


def _phase(world: World, decision: Decision, findings: Findings) -> str:
    if world.service.metadata.deletion_timestamp:
        return "Deleting"
    if decision.canary is not None:
        phase = decision.statuses[decision.canary].phase
        return phase.value if phase else ""
    if decision.stable is None:
        return "NotAccepted" if findings.refused else "Starting"
    if not _serving(world, decision):
        return "Degraded"
    refused = _last_refused(decision)
    attempt = decision.statuses[refused].attempt if refused is not None else None
    return attempt.phase.value if attempt else "Ready"
