"""From the cache to a `World`: one MeshService as it is now, and what was found around it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from seatrial.api.advice import advice
from seatrial.api.meshservice import MeshService
from seatrial.api.names import LABEL_MANAGED_NAMESPACE, delegate_name, host_of
from seatrial.api.problems import sentences
from seatrial.api.references import Known, clashes, unresolved
from seatrial.api.revision import Phase, Revision
from seatrial.control.cache import Cache, Object
from seatrial.control.configs import Configs, Frozen, Hindered
from seatrial.control.fleet import Fleet, Reading
from seatrial.control.judging import Judging
from seatrial.control.mesh import MeshView, Moving, pod_of
from seatrial.control.once import Once, resource_version
from seatrial.control.pods import has_proxy, migration_of, missing_references, pods_by_revision, revision_of
from seatrial.control.routing import read_routing
from seatrial.evidence.ask import Pod
from seatrial.kube.client import Kube
from seatrial.kube.kinds import REVISION, SERVICE
from seatrial.render import Callee, migration_name
from seatrial.rollout.report import Findings
from seatrial.rollout.world import Mesh, Migration, Pods, Verdict, World

PLAIN_AGE = 10.0  # seconds for which a Service that is no MeshService's is taken as known
LOOK_AGAIN = 15.0  # seconds after which missing things that no watch shows are looked for again

Owned = Mapping[tuple[str, str], Object]


@dataclass(frozen=True)
class Sight:
    """What a pass decides on. `frozen` is the present template, None where it can't be frozen or isn't accepted.

    `raw` is the MeshService, `revisions` are its Revisions by number, as the API server gives them.
    It must be looked again in `look_again` seconds where that isn't None. Where a rollout is judged its looks lead to
    passes, and one that doesn't is `overdue` at that time by the clock.
    """

    raw: Object
    revisions: Mapping[int, Object]
    service: MeshService
    world: World
    findings: Findings
    frozen: Frozen | None
    owned: Owned
    callees: Mapping[tuple[str, str], Callee]
    look_again: float | None
    overdue: float | None


class Observer:
    """Reads the cache, and what no watch has: plain Services, ConfigMaps' contents, the callers' proxies.

    Without `judging` nobody judges rollouts.
    """

    def __init__(  # noqa: PLR0913 # it looks at as many things
        self,
        kube: Kube,
        cache: Cache,
        fleet: Fleet,
        configs: Configs,
        mesh: MeshView,
        *,
        judging: Judging | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._fleet = fleet
        self._configs = configs
        self._mesh = mesh
        self._judging = judging
        self._clock = clock
        self._plain: dict[tuple[str, str], tuple[float, Callee | None]] = {}
        self._revisions = Once(Revision.parse, resource_version, lambda: cache.all(REVISION))

    def managed(self, namespace: str) -> bool:
        """Whether we may work there at all."""
        found = self._cache.namespace(namespace)
        return found is not None and (found["metadata"].get("labels") or {}).get(LABEL_MANAGED_NAMESPACE) == "true"

    def terminating(self, namespace: str) -> bool:
        """Whether it is being deleted, so that nothing can be made there any more."""
        found = self._cache.namespace(namespace)
        return found is None or bool(found["metadata"].get("deletionTimestamp"))

    async def look(self, raw: Object, reading: Reading) -> Sight:
        """`reading` must have a service."""
        read = reading.service
        if read is None:
            raise ValueError("no spec of it was ever accepted")
        callees = await self._callees(read)
        known = self._fleet.known(frozenset(key for key, callee in callees.items() if callee is not None))
        service = self._fleet.in_use(raw, known) or read
        meta = service.metadata
        owned = self._cache.owned(meta.namespace, meta.name)
        raws = {r["spec"]["number"]: r for r in self._cache.revisions(meta.namespace, meta.name)}
        revisions = tuple(self._revisions.of(r) for _, r in sorted(raws.items()))
        pods = self._cache.pods(meta.namespace, meta.name)
        deployments = [obj for (kind, _), obj in owned.items() if kind == "Deployment"]
        by_revision = pods_by_revision(deployments, pods)
        mesh, unverified = await self._look_at_mesh(service, known, owned, by_revision, revisions)
        verdict = await self._judge_attempt(service, known, revisions)
        frozen = await self._configs.freeze(service)
        world = World(
            service=service,
            template_hash=frozen.hash if isinstance(frozen, Frozen) else _last_hash(service, revisions),
            revisions=revisions,
            pods=by_revision,
            mesh=mesh,
            now=datetime.now(UTC),
            migrations=_migrations(service, revisions, owned, by_revision),
            judge=self._judging is not None,
            verdict=verdict,
        )
        missing = missing_references(p for p in pods if revision_of(p) in by_revision)
        hindered = frozen if isinstance(frozen, Hindered) else Hindered()
        hindered = Hindered((*hindered.missing, *missing), hindered.refused)
        findings = self._findings(reading, service, known, hindered, unverified)
        return Sight(
            raw=raw,
            revisions=raws,
            service=service,
            world=world,
            findings=findings,
            frozen=frozen if isinstance(frozen, Frozen) else None,
            owned=owned,
            callees={key: callee for key, callee in callees.items() if callee is not None},
            look_again=LOOK_AGAIN if findings.unresolved or None in callees.values() else None,
            overdue=self._judging.overdue(meta.namespace, meta.name) if self._judging is not None else None,
        )

    async def _look_at_mesh(
        self,
        service: MeshService,
        known: Known,
        owned: Owned,
        pods: Mapping[int, Pods],
        revisions: tuple[Revision, ...],
    ) -> tuple[Mesh, str]:
        name = service.metadata.name
        host = host_of(name, service.metadata.namespace)
        live = read_routing(
            owned.get(("VirtualService", name)),
            owned.get(("DestinationRule", name)),
            host,
            owned.get(("VirtualService", delegate_name(name))),
        )
        starting = {
            r.spec.number
            for r in revisions
            if r.status.attempt is not None and r.status.attempt.phase is Phase.STARTING
        }
        with_pods = {n for n, p in pods.items() if p.wanted > 0}
        moving = Moving(
            arriving=frozenset(n for n in starting - live.routed if n in pods and pods[n].ready > 0),
            leaving=frozenset((live.subsets | with_pods) - live.routed - starting),
        )
        return await self._mesh.look(service, known, live, moving)

    async def _judge_attempt(
        self, service: MeshService, known: Known, revisions: tuple[Revision, ...]
    ) -> Verdict | None:
        if self._judging is None:
            return None
        meta = service.metadata

        def pods(revision: int) -> list[Pod]:
            there = self._cache.pods(meta.namespace, meta.name)
            return [pod_of(p) for p in there if revision_of(p) == revision and has_proxy(p)]

        return await self._judging.verdict(service, revisions, lambda: self._mesh.callers(service, known), pods)

    def _findings(
        self, reading: Reading, used: MeshService, known: Known, hindered: Hindered, unverified: str
    ) -> Findings:
        """`reading` has the present spec, `used` the one that is served."""
        taken = clashes(reading.service, known) if reading.service is not None else []
        refused = [p.sentence for p in (*reading.problems, *taken)] + list(hindered.refused)
        reason = "Invalid" if reading.problems else "HostTaken" if taken else "ConfigTooLarge"
        places = used.spec.expose
        return Findings(
            refused=tuple(refused),
            refused_reason=reason,
            unresolved=(*(p.sentence for p in unresolved(used, known)), *hindered.missing),
            advice=(sentences(advice(used.spec)),),
            unverified=unverified,
            url=_url(places[0].host, places[0].prefix, tls=places[0].tls is not None) if places else None,
        )

    async def _callees(self, service: MeshService) -> dict[tuple[str, str], Callee | None]:
        """What is called and is no MeshService: its selector and ports, None where it isn't there."""
        found: dict[tuple[str, str], Callee | None] = {}
        fleet = self._fleet.known().services
        for call in service.spec.security.calls:
            if call.service is not None:
                key = (call.namespace or service.metadata.namespace, call.service)
                if key not in fleet:
                    found[key] = await self._plain_service(key)
        return found

    async def _plain_service(self, key: tuple[str, str]) -> Callee | None:
        at, known = self._plain.get(key, (float("-inf"), None))
        if self._clock() - at < PLAIN_AGE:
            return known
        obj = await self._kube.find(SERVICE, key[1], key[0])
        callee = None if obj is None else _callee(obj)
        self._plain[key] = (self._clock(), callee)
        return callee


def _callee(obj: Object) -> Callee:
    """Ports that are named on the pods can't be told apart, so then all are open."""
    spec = obj.get("spec") or {}
    targets = [p.get("targetPort", p.get("port")) for p in spec.get("ports") or ()]
    numbers = tuple(t for t in targets if isinstance(t, int))
    return Callee(spec.get("selector") or {}, numbers if len(numbers) == len(targets) else ())


def _last_hash(service: MeshService, revisions: tuple[Revision, ...]) -> str:
    """While the template can't be frozen, what was asked for last goes on."""
    by_number = {r.spec.number: r.spec.hash for r in revisions}
    target = service.status.target_revision
    if target in by_number:
        return by_number[target]
    return by_number[max(by_number)] if by_number else ""


def _migrations(
    service: MeshService, revisions: tuple[Revision, ...], owned: Owned, pods: Mapping[int, Pods]
) -> dict[int, Migration]:
    """A revision that has a Deployment was migrated, whatever became of its Job."""
    found: dict[int, Migration] = {}
    for revision in revisions:
        number = revision.spec.number
        state = migration_of(owned.get(("Job", migration_name(service.metadata.name, number))))
        if number in pods:
            found[number] = "done"
        elif state is not None:
            found[number] = state
    return found


def _url(host: str, prefix: str, *, tls: bool) -> str:
    return f"{'https' if tls else 'http'}://{host}{prefix}"
