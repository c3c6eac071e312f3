"""One safe move of one MeshService: from what is seen to what shall be.

The stable revision is the one whose attempt with the highest number succeeded: state lives in the Revisions alone, so
that a crash between any two writes is healed by the next look. Order of safety, whatever happens: a revision is routed
only when its subset is known to all callers and its pods are ready; it is scaled down only when no caller can send it
anything. Going back to stable never waits.
"""

from dataclasses import replace
from math import floor

from seatrial.api.revision import Phase
from seatrial.rollout import capacity
from seatrial.rollout.cleanup import forgotten, leave
from seatrial.rollout.helm import Helm, active_of, stable_of
from seatrial.rollout.moves import advance
from seatrial.rollout.report import tell
from seatrial.rollout.shares import shares
from seatrial.rollout.verbs import obey
from seatrial.rollout.world import Decision, Mesh, Routing, World

LOOK_WHILE_ACTIVE = 1.0
LOOK_BEFORE_ROUTING = 0.25  # its pods are ready, and every moment that it waits for proxies is one more of the rollout


def decide(world: World) -> Decision:
    """Choose the next safe move. Calling it again on an unchanged world moves nothing."""
    return _steer(Helm(world if world.service.spec.service_ports else _without_routes(world)))


def _without_routes(world: World) -> World:
    """A service without ports has no routes to read back: what its newest attempt asked for is what is."""
    statuses = {r.spec.number: r.status for r in world.revisions}
    stable = stable_of(statuses)
    canary = active_of(statuses)
    attempt = statuses[canary].attempt if canary is not None else None
    wanted = attempt.weight.wanted if attempt else 0
    subsets = frozenset(n for n in (stable, canary) if n is not None)
    return replace(world, mesh=Mesh(live=Routing(_split(stable, canary, wanted), subsets)))


def _split(stable: int | None, canary: int | None, wanted: int) -> dict[int, int]:
    """Weights that sum to 100; the first revision of a service has it all from the start."""
    if stable is None:
        return {} if canary is None else {canary: 100}
    if canary is None:
        return {stable: 100}
    return {n: w for n, w in ((stable, 100 - wanted), (canary, wanted)) if w > 0}


def _steer(helm: Helm) -> Decision:
    if helm.world.service.metadata.deletion_timestamp:
        return _delete(helm)
    obey(helm)
    helm.judged = canary = helm.canary()
    if canary is not None:
        advance(helm, canary, helm.attempt(canary))
    if canary is None or not helm.attempt(canary).phase.active:
        canary = _begin(helm)
    return _conclude(helm, canary)


def _begin(helm: Helm) -> int | None:
    """Start an attempt for the template as it is now, where one is due."""
    target, helm.stable = helm.target, helm.find_stable()
    if target is None or target == helm.stable or not helm.world.judge:
        return None
    attempt = helm.story.attempt(target)
    newest = helm.story.newest()
    asked_for = newest.template if newest is not None and newest.template is not None else target
    if attempt is not None and asked_for == target == helm.world.service.status.target_revision:
        return None  # it was tried since the template last changed
    verb = "again " if attempt is not None else ""
    reason = f"revision {target} starts {verb}{helm.beside()}"
    helm.story.begin(target, reason, cause="Template", template=target)
    return target


def _conclude(helm: Helm, canary: int | None) -> Decision:
    helm.stable = helm.find_stable()
    if helm.judged is not None and helm.world.verdict is not None:
        helm.story.weigh(helm.judged, helm.world.verdict.evidence)
    weights = _weights(helm, canary)
    marked, mirror, sticky = helm.extras(canary)
    decision = Decision(
        stable=helm.stable,
        canary=canary,
        routing=Routing(weights, frozenset(weights) | helm.live.subsets, marked, mirror, sticky),
        scales=_scales(helm, canary),
        statuses=helm.story.statuses,
        create=_next_number(helm) if _unfrozen(helm) else None,
        migrate=(canary,) if canary is not None and _migrating(helm, canary) else (),
    )
    decision = leave(helm.world, decision, helm.story)
    return replace(
        decision,
        statuses=tell(helm.world, decision, helm.story.statuses),
        shares=shares(helm.world, decision, helm.whole),
        events=tuple(helm.story.events),
        forget=forgotten(helm.world, decision, helm.target),
        active=canary is not None and helm.stable is not None,
        look_after=_look_after(helm, canary, decision),
    )


def _look_after(helm: Helm, canary: int | None, decision: Decision) -> float | None:
    if canary is not None and helm.attempt(canary).phase is Phase.STARTING:
        ready = helm.pods_ahead > 0 and helm.world.pods_of(canary).ready >= helm.pods_ahead
        return LOOK_BEFORE_ROUTING if ready and not helm.spec.paused else LOOK_WHILE_ACTIVE
    return LOOK_WHILE_ACTIVE if canary is not None or _unfinished(helm, decision) else None


def _unfinished(helm: Helm, decision: Decision) -> bool:
    """Whether something is still on its way, so that the next look must not wait for a change."""
    with_pods = {n for n, p in helm.world.pods.items() if p.wanted > 0}
    leaving = (helm.live.subsets | with_pods) - {decision.stable, decision.canary}
    return bool(leaving or helm.world.mesh.waiting_for or decision.create or decision.routing != helm.live)


def _next_number(helm: Helm) -> int:
    return 1 + max({0, *helm.story.statuses, *helm.live.subsets, *helm.world.pods})


def _unfrozen(helm: Helm) -> bool:
    deleting = bool(helm.world.service.metadata.deletion_timestamp)
    return helm.target is None and helm.world.judge and not deleting


def _weights(helm: Helm, canary: int | None) -> dict[int, int]:
    wanted = helm.attempt(canary).weight.wanted if canary is not None else 0
    return _split(helm.stable, canary, wanted) or dict(helm.live.weights)


def _scales(helm: Helm, canary: int | None) -> dict[int, int]:
    """Replicas of the two that matter; what the others keep is decided where they leave."""
    scales: dict[int, int] = {}
    if helm.stable in helm.story.statuses:
        scales[helm.stable] = helm.needed(100) - _moved(helm, canary)
    if canary is not None and canary != helm.stable and not _migrating(helm, canary):
        attempt = helm.attempt(canary)
        if attempt.phase is Phase.ROLLING_BACK:
            scales[canary] = helm.world.pods_of(canary).wanted
        else:
            weight = attempt.weight.wanted
            ahead = helm.pods_ahead or helm.needed(helm.prepared_for(weight, helm.following(attempt, weight)))
            scales[canary] = max(ahead, _floor(helm, canary))
    return scales


def _moved(helm: Helm, canary: int | None) -> int:
    """Pods whose work the canary's took over, where steps are shares of replicas, since there are no requests to weigh.

    Each of stable's goes when the canary's that are ready do all of its work, so there are never fewer than all. An
    autoscaler's are left to it: the canary has rather less than its share than stable's pods are counted wrong.
    """
    if canary is None or helm.spec.service_ports or helm.spec.autoscaling is not None:
        return 0
    wanted, pods = helm.attempt(canary).weight.wanted, helm.world.pods_of(canary)
    done = capacity.done(wanted, pods.ready, max(helm.needed(wanted), pods.wanted))
    return floor(helm.needed(100) * done / 100)


def _floor(helm: Helm, canary: int) -> int:
    """Pods that an active canary has are never taken from it."""
    return min(helm.world.pods_of(canary).wanted, helm.needed(100))


def _migrating(helm: Helm, canary: int) -> bool:
    revision = helm.world.revision(canary)
    return bool(revision and revision.spec.template.migrate) and helm.world.migrations.get(canary) != "done"


def _delete(helm: Helm) -> Decision:
    """Back to stable first, so that what nobody has judged gets nothing while the routes go away."""
    canary = helm.canary()
    if canary is not None and helm.stable is not None:
        attempt = helm.attempt(canary)
        helm.verify(canary, attempt)
        if helm.attempt(canary).phase is Phase.ROLLING_BACK:
            helm.finish_going_back(canary, helm.attempt(canary))
        else:
            helm.go_back(canary, Phase.ABORTED, "the MeshService is being deleted")
        if not helm.attempt(canary).phase.active:
            canary = None
    return _conclude(helm, canary)
