"""What of a service isn't wanted any more goes: routes before subsets before the rest, and nothing that has traffic."""

from collections.abc import Iterable

from seatrial.control.cache import Cache, Object, controller_of
from seatrial.control.hosts import order_of_leaving
from seatrial.control.keys import ServiceKey
from seatrial.control.observe import Sight
from seatrial.control.pods import revision_of
from seatrial.control.writer import Writer, name_of
from seatrial.rollout.world import Decision


async def prune_objects(writer: Writer, sight: Sight, decision: Decision, desired: Iterable[Object]) -> None:
    """Delete what isn't rendered any more."""
    rendered = {name_of(o) for o in desired}
    busy = sight.world.mesh.live.routed | sight.world.mesh.live.subsets | decision.routing.subsets
    kept = {r.spec.number for r in sight.world.revisions} - set(decision.forget)
    for obj in sorted(sight.owned.values(), key=order_of_leaving):
        controller = controller_of(obj)
        if controller is not None and controller["uid"] != sight.service.metadata.uid:
            continue  # another one's, whatever its label says
        number = revision_of(obj)
        if name_of(obj) in rendered or number in busy:
            continue
        if obj["kind"] == "Job" and number in kept:
            continue  # it says that the migration has run
        await writer.delete(obj)


async def prune_revisions(writer: Writer, cache: Cache, key: ServiceKey, sight: Sight, decision: Decision) -> None:
    """Delete the Revisions that are to be forgotten, and copies of ConfigMaps that none of the others refers to."""
    for number, raw in sorted(sight.revisions.items()):
        if number in decision.forget:
            await writer.delete(raw)
    kept = [r for r in sight.world.revisions if r.spec.number not in decision.forget]
    used = {c.copy_name for r in kept for c in r.spec.configs}
    if decision.create is None:
        for copy in cache.copies(key.namespace, key.name):
            if copy["metadata"]["name"] not in used:
                await writer.delete(copy | {"apiVersion": "v1"})
