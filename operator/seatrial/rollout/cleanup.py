"""How a revision leaves: its route, what is under way, its subset, its pods; each when the one before is verified."""

from dataclasses import replace
from datetime import timedelta

from seatrial.api.base import seconds
from seatrial.rollout import capacity
from seatrial.rollout.helm import stable_of
from seatrial.rollout.story import Story
from seatrial.rollout.world import Decision, World, moment


def leave(world: World, decision: Decision, story: Story) -> Decision:
    """Take one more step with every revision that has neither traffic nor a part to play."""
    mesh = world.mesh
    subsets = set(decision.routing.subsets)
    scales = dict(decision.scales)
    playing = {decision.stable, decision.canary} | decision.routing.routed
    for number in story.statuses:
        routed = number in mesh.live.routed or number in decision.routing.routed
        unused = not routed and number not in playing
        idle = unused and mesh.settled
        there = number in mesh.live.subsets or world.pods_of(number).wanted > 0
        story.drain(number, leaves=unused and there, idle=idle)
        if number in playing or number in scales:
            continue
        wanted = world.pods_of(number).wanted
        if idle and number in mesh.live.subsets and _drained(world, story, number):
            subsets.discard(number)
        gone = idle and number not in mesh.live.subsets
        scales[number] = 0 if gone else wanted
    without = not capacity.is_asked_for(world.service.spec)
    if decision.canary is not None and (without or _has_pods(world, decision.canary)):
        subsets.add(decision.canary)
    known = set(story.statuses)
    subsets = {s for s in subsets if s in known or s in mesh.live.routed}
    return replace(decision, routing=replace(decision.routing, subsets=frozenset(subsets)), scales=scales)


def _has_pods(world: World, number: int) -> bool:
    return world.pods_of(number).wanted > 0


def _drained(world: World, story: Story, number: int) -> bool:
    since = story.statuses[number].draining_since
    if since is None:
        return False
    busy = world.mesh.busy.get(number, 0)
    drain = timedelta(seconds=seconds(world.service.spec.shutdown.drain))
    if busy and world.now - moment(since) >= drain:
        message = (
            f"revision {number} still had {busy} requests or streams after {world.service.spec.shutdown.drain}: cut"
        )
        story.say(number, "DrainCut", message, warning=True)
        return True
    return not busy


def forgotten(world: World, decision: Decision, target: int | None) -> tuple[int, ...]:
    """Revisions beyond `keepRevisions`, oldest first.

    Never the newest, so that numbers only rise, nor the one that the template asks for, so that it isn't tried anew,
    nor the one that served before the present one, so that there is always one to go back to.
    """
    idle = [
        n
        for n in sorted(decision.statuses)
        if n not in {decision.stable, decision.canary} | decision.routing.subsets
        and decision.scales.get(n, 0) == 0
        and world.pods_of(n).wanted == 0
    ]
    surplus = len(idle) - world.service.spec.rollout.keep_revisions
    newest = max(decision.statuses, default=None)
    kept = {newest, target, stable_of(decision.statuses, besides=decision.stable)}
    return tuple(n for n in idle[: max(0, surplus)] if n not in kept)
