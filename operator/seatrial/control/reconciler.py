"""One pass: observe, decide, write. The writes are in the order of safety, and a pass may die after any of them.

Config copies and the Revision come first, then what the Revisions tell, then the objects in the order of the renderer
(of a service that has none yet: see `launch`), then what isn't rendered any more goes, then the MeshService's status.
The finalizer is there before anything of an attempt is written and goes when the last of it is.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from seatrial.api.names import ANNOTATION_VERB, FINALIZER
from seatrial.api.revision import Revision
from seatrial.control.cache import Cache, Object, Written
from seatrial.control.configs import Configs, revision_object
from seatrial.control.fleet import Fleet, Reading
from seatrial.control.gauges import Gauges
from seatrial.control.hosts import Hosts
from seatrial.control.judging import Judging
from seatrial.control.keys import HostsKey, Key, ServiceKey
from seatrial.control.launch import launch, names_needed, uids_to_come
from seatrial.control.mesh import MeshView
from seatrial.control.observe import Observer, Sight
from seatrial.control.pods import untold
from seatrial.control.pruning import prune_objects, prune_revisions
from seatrial.control.rendering import Rendering
from seatrial.control.statuses import Teller
from seatrial.control.telemetry import reconciling
from seatrial.control.writer import Name, Writer, name_of
from seatrial.kube.errors import Conflict, Forbidden, NameTaken, NotFound, Terminating
from seatrial.kube.kinds import MESH_SERVICE
from seatrial.render import Inputs
from seatrial.rollout.decide import LOOK_WHILE_ACTIVE, decide
from seatrial.rollout.report import Findings
from seatrial.rollout.verbs import asked, is_answered
from seatrial.rollout.world import Decision

log = logging.getLogger(__name__)

SOON = 0.2  # seconds: somebody else wrote, or our own write hasn't come back yet
GONE = 1.0  # seconds: what was to be written disappeared meanwhile
NAME_TAKEN = 10.0  # seconds: foreign objects aren't watched
PATIENCE_WITH_THE_END = 60.0  # seconds that a deletion waits for a rollout to go back to stable


@dataclass(frozen=True)
class Parts:
    """What a reconciler is made of."""

    cache: Cache
    fleet: Fleet
    configs: Configs
    mesh: MeshView
    observer: Observer
    judging: Judging | None
    writer: Writer
    written: Written
    teller: Teller
    gauges: Gauges
    fencing: Callable[[], int]
    clock: Callable[[], float] = time.monotonic


class Reconciler:
    """Passes keys. It remembers nothing that a restart would need."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._hosts = Hosts(parts.cache, parts.fleet, parts.observer, parts.writer)
        self._rendering = Rendering()
        self._ending: dict[str, float] = {}  # uid of what is being deleted → since when

    async def reconcile(self, key: Key) -> float | None:
        """Pass one key; returns the seconds until the next look. Raises `ApiFailure` where it must be tried again."""
        parts = self._parts
        with reconciling("hosts" if isinstance(key, HostsKey) else "service", str(key)):
            if not parts.written.shown(key, parts.cache, parts.clock()):
                return SOON
            try:
                if isinstance(key, HostsKey):
                    await self._hosts.reconcile(key)
                    return None
                return await self._service(key)
            except (Conflict, NotFound) as error:
                log.info("again soon: %s", error.message)
                return SOON if isinstance(error, Conflict) else GONE
            except Terminating as error:
                log.info("left alone: %s", error.message)
                return None

    # -- a MeshService

    async def _service(self, key: ServiceKey) -> float | None:
        parts = self._parts
        raw = parts.cache.service(key.namespace, key.name)
        if raw is None:
            self._forget(key)
            return None
        if parts.observer.terminating(key.namespace) and not raw["metadata"].get("deletionTimestamp"):
            return None  # its turn comes
        reading = parts.fleet.read(raw)
        if not parts.observer.managed(key.namespace):
            if not raw["metadata"].get("deletionTimestamp"):
                return await parts.teller.refuse(key, raw, (_unmanaged(key.namespace),), "NamespaceNotManaged")
            await self._end(key, raw)
            return None
        if reading.service is None:
            return await parts.teller.refuse(key, raw, tuple(p.sentence for p in reading.problems), "Invalid")
        return await self._accepted(key, raw, reading)

    async def _accepted(self, key: ServiceKey, raw: Object, reading: Reading) -> float | None:
        parts = self._parts
        began = parts.clock()
        sight = await parts.observer.look(raw, reading)
        decision = self._decide(sight)
        try:
            taken, free = await self._names(key, sight, decision)
            if taken:
                await parts.teller.refuse(key, raw, tuple(t.message for t in taken), "NameTaken")
                return NAME_TAKEN
            if decision.create is not None:
                sight = await self._freeze(key, sight, decision.create)
                decision = self._decide(sight)
            parts.gauges.show(key, decision)
            untold = await self._write(key, sight, decision, free)
        except NameTaken as error:
            sight = replace(sight, findings=_refused(sight.findings, error.message, "NameTaken"))
            await parts.teller.report(key, sight, decision)
            return NAME_TAKEN
        except Terminating:
            await self._end(key, raw)
            raise
        except Forbidden as error:
            if sight.service.metadata.deletion_timestamp:
                raise
            sight = replace(sight, findings=_refused(sight.findings, _forbidden(key, error), "Forbidden"))
            await parts.teller.report(key, sight, decision)
            raise
        if decision.look_after is None:
            self._rendering.forget(key)
        return _soonest(_next(sight, decision, began), sight.look_again, untold)

    def _decide(self, sight: Sight) -> Decision:
        """A template that can't be frozen makes no revision; a deletion gives up waiting after a while."""
        world = sight.world
        if world.service.metadata.deletion_timestamp and self._is_late(world.service.metadata.uid):
            world = replace(world, mesh=replace(world.mesh, waiting_for=()))
        decision = decide(world)
        if decision.create is not None and sight.frozen is None:
            decision = replace(decision, create=None)
        return decision

    def _is_late(self, uid: str) -> bool:
        now = self._parts.clock()
        return now - self._ending.setdefault(uid, now) > PATIENCE_WITH_THE_END

    async def _write(self, key: ServiceKey, sight: Sight, decision: Decision, free: frozenset[Name]) -> float | None:
        """Seconds until something of it is still to be written; None where nothing is."""
        parts = self._parts
        deleting = bool(sight.service.metadata.deletion_timestamp)
        if decision.active and not deleting:
            sight = await self._hold(key, sight)
        if await self._take_verbs_off(key, sight):
            return SOON
        untold = await parts.teller.revisions(key, sight, decision)
        if decision.routing != sight.world.mesh.live:
            await parts.mesh.before_write(key.namespace, key.name)
        desired = await self._put(key, sight, decision, free)
        await self._tell_pods(key, decision, deleting=deleting)
        if not deleting:
            await prune_objects(parts.writer, sight, decision, desired)
            await prune_revisions(parts.writer, parts.cache, key, sight, decision)
        if not decision.active and (ended := await self._end(key, sight.raw)):
            if deleting:
                return None
            sight = replace(sight, raw=ended)
        return _soonest(untold, await parts.teller.report(key, sight, decision))

    async def _put(self, key: ServiceKey, sight: Sight, decision: Decision, free: frozenset[Name]) -> Sequence[Object]:
        """Write the objects themselves, and give what is desired of them."""
        writer, inputs = self._parts.writer, _inputs(sight, decision, self._parts.fencing())
        desired = self._rendering.of(key, inputs)
        if sight.service.metadata.deletion_timestamp:
            desired = [_as_owned(o, live) for o in desired if (live := sight.owned.get(name_of(o)))]
            await writer.put(key, desired, sight.owned)
        elif free:
            whole = self._rendering.of(key, replace(inputs, live=uids_to_come(desired)))
            await launch(writer, key, whole, free)
        else:
            await writer.put(key, desired, sight.owned)
        return desired

    async def _tell_pods(self, key: ServiceKey, decision: Decision, *, deleting: bool) -> None:
        """Pods of what is being deleted may live on without it, or go with a namespace where we have no right left."""
        parts = self._parts
        try:
            await parts.writer.tell_pods(key, untold(parts.cache.pods(key.namespace, key.name), decision.shares))
        except Forbidden:
            if not deleting:
                raise

    async def _hold(self, key: ServiceKey, sight: Sight) -> Sight:
        """Put our finalizer on where it isn't there."""
        finalizers = sight.raw["metadata"].get("finalizers") or []
        if FINALIZER in finalizers:
            return sight
        held = await self._parts.writer.finalizers(key, MESH_SERVICE, sight.raw, [*finalizers, FINALIZER])
        return replace(sight, raw=held)

    async def _end(self, key: ServiceKey, raw: Object) -> Object | None:
        """Take our finalizer off, and give the object as it is then; None where it isn't there."""
        finalizers = raw["metadata"].get("finalizers") or []
        if FINALIZER not in finalizers:
            return None
        ended = await self._parts.writer.finalizers(key, MESH_SERVICE, raw, [f for f in finalizers if f != FINALIZER])
        self._ending.pop(raw["metadata"]["uid"], None)
        return ended

    async def _take_verbs_off(self, key: ServiceKey, sight: Sight) -> bool:
        """A verb that was answered may be asked again: its annotation goes. Whether there was one."""
        answered = {
            r.spec.number for r in sight.world.revisions if (verb := asked(r)) is not None and is_answered(r, verb)
        }
        for raw in self._parts.cache.revisions(key.namespace, key.name) if answered else ():
            if raw["spec"]["number"] in answered:
                await self._parts.writer.without_annotation(key, raw, ANNOTATION_VERB)
        return bool(answered)

    async def _freeze(self, key: ServiceKey, sight: Sight, number: int) -> Sight:
        """Make the revision of the present template; the sight has it then, so that the pass goes on with it."""
        parts = self._parts
        if sight.frozen is None:
            raise ValueError("there is no template to freeze")
        for copy in await parts.configs.copies(sight.service, sight.frozen):
            await parts.writer.create(key, copy)
        made = await parts.writer.create(key, revision_object(sight.service, number, sight.frozen))
        if made.get("status"):
            raise Conflict(f"revision {number} is there already, and no watch has shown it")
        revisions = (*sight.world.revisions, Revision.parse(made))
        return replace(
            sight,
            revisions={**sight.revisions, number: made},
            world=replace(sight.world, revisions=tuple(sorted(revisions, key=lambda r: r.spec.number))),
        )

    async def _names(
        self, key: ServiceKey, sight: Sight, decision: Decision
    ) -> tuple[list[NameTaken], frozenset[Name]]:
        """Before the first write for a service: whose names are taken, and which are free."""
        if sight.owned or sight.world.revisions:
            return [], frozenset()
        return await self._parts.writer.taken(key, names_needed(key.name, decision.create or 1))

    def _forget(self, key: ServiceKey) -> None:
        parts = self._parts
        parts.written.forget(key)
        parts.mesh.forget(key.namespace, key.name)
        parts.configs.forget(key.namespace, key.name)
        self._rendering.forget(key)
        if parts.judging is not None:
            parts.judging.forget(key.namespace, key.name)
        parts.gauges.forget(key)


def _inputs(sight: Sight, decision: Decision, fencing: int) -> Inputs:
    revisions = {r.spec.number: r for r in sight.world.revisions}
    return Inputs(
        service=sight.service,
        revisions={n: r for n, r in revisions.items() if n not in decision.forget},
        routing=decision.routing,
        scales=decision.scales,
        migrate=decision.migrate,
        live={name: obj["metadata"]["uid"] for name, obj in sight.owned.items()},
        callees=sight.callees,
        fencing=fencing,
    )


def _as_owned(desired: Object, live: Object) -> Object:
    """While its owner is being deleted, nobody but the garbage collector changes whose an object is."""
    meta = {k: v for k, v in desired["metadata"].items() if k != "ownerReferences"}
    meta["resourceVersion"] = live["metadata"]["resourceVersion"]
    if owners := live["metadata"].get("ownerReferences"):
        meta["ownerReferences"] = owners
    return desired | {"metadata": meta}


def _refused(findings: Findings, message: str, reason: str) -> Findings:
    return replace(findings, refused=(message, *findings.refused), refused_reason=reason)


def _unmanaged(namespace: str) -> str:
    return f"namespace {namespace} isn't managed: run `seatrial namespace {namespace}`"


def _forbidden(key: ServiceKey, error: Forbidden) -> str:
    return (
        f"the operator may not write there: `seatrial namespace {key.namespace}` gives it the right ({error.message})"
    )


def _next(sight: Sight, decision: Decision, began: float) -> float | None:
    """Seconds from its beginning until a rollout has its next pass: where all waits for evidence, looks lead to it."""
    mesh = sight.world.mesh
    if sight.overdue is None or decision.look_after != LOOK_WHILE_ACTIVE or mesh.waiting_for or mesh.busy:
        return decision.look_after
    return max(LOOK_WHILE_ACTIVE, sight.overdue - began)


def _soonest(*seconds: float | None) -> float | None:
    return min((s for s in seconds if s is not None), default=None)
