"""What the pods of a revision take of the work that doesn't come by request: messages, relays, schedules.

Nobody routes such work, so each pod holds itself back: it is told how much of what it could do it shall do. With pods
that are alike, the revisions then have the shares that their weights say, and together they do as much as stable alone.
"""

from collections.abc import Mapping
from math import floor

from seatrial.rollout import capacity
from seatrial.rollout.world import Decision, PodShare, World


def shares(world: World, decision: Decision, whole: int) -> dict[int, PodShare]:
    """By revision, for its pods.

    Of share w and n pods, where N pods do all the work (`whole`), each does w·N/n percent: at that rate n pods do w
    percent of what N pods can. Any share is at least 1, so that none is lost to rounding, and none is exactly 0.
    """
    pods = {n: max(decision.scales.get(n, 0), world.pods_of(n).wanted) for n in decision.statuses}
    if (canary := decision.canary) in pods:  # its step may be a new one, whose pods come with the next move
        pods[canary] = max(pods[canary], capacity.needed(whole, decision.routing.weights.get(canary, 0)))
    alone = decision.canary if decision.stable is None else None  # a first one has nobody beside it to be told from
    roles = {decision.canary: "canary", decision.stable: "stable", alone: "stable"}
    parts = _parts(world, decision, pods)
    return {
        number: PodShare(roles.get(number, "kept"), _each(part, whole, pods[number]), share=part, peers=pods[number])
        for number, part in parts.items()
    }


def _parts(world: World, decision: Decision, pods: Mapping[int, int]) -> dict[int, int]:
    """Percent of all work. What those of the canary's pods shall do that aren't ready yet, stable does until they are.

    Stable isn't held back by its share, unless that is 0: then it does nothing.
    """
    parts = {number: decision.routing.weights.get(number, 0) for number in pods}
    canary, stable = decision.canary, decision.stable
    if canary in parts and stable in parts:
        done = capacity.done(parts[canary], world.pods_of(canary).ready, pods[canary])
        parts[stable] = 100 - floor(done)
    return parts


def _each(share: int, whole: int, pods: int) -> int:
    """Percent of what a pod could do."""
    if share in {0, 100} or not pods:
        return share
    return min(100, max(1, round(share * whole / pods)))
