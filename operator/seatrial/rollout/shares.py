"""What the pods of a revision take of the work that doesn't come by request: messages, relays, schedules.

Nobody routes such work, so each pod holds itself back: it is told how much of what it could do it shall do. With pods
that are alike, the revisions then have the shares that their weights say, and together they do as much as stable alone.
"""

from seatrial.rollout.world import Decision, PodShare, World


def shares(world: World, decision: Decision, whole: int) -> dict[int, PodShare]:
    """By revision, for its pods.

    Of weight w and n pods, where N pods do all the work (`whole`), each does w·N/n percent: at that rate n pods do w
    percent of what N pods can. Any weight is at least 1, so that no share is lost to rounding, and none is exactly 0.
    """
    wanted = {n: max(decision.scales.get(n, 0), world.pods_of(n).wanted) for n in decision.statuses}
    roles = {decision.stable: "stable", decision.canary: "canary"}
    weights = {number: decision.routing.weights.get(number, 0) for number in wanted}
    return {
        number: PodShare(
            roles.get(number, "kept"), _each(weights[number], whole, pods), share=weights[number], peers=pods
        )
        for number, pods in wanted.items()
    }


def _each(weight: int, whole: int, pods: int) -> int:
    """Percent of what a pod could do."""
    if weight in {0, 100} or not pods:
        return weight
    return min(100, max(1, round(weight * whole / pods)))
