"""The mesh as a service's callers have it: which proxies they are, what they carry, what is under way at them."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from seatrial.api.meshservice import MeshService
from seatrial.api.names import INGRESS_NAMESPACE, INGRESS_SELECTOR, host_of
from seatrial.api.references import Known
from seatrial.control.cache import Cache, Object
from seatrial.control.pods import has_proxy, is_ready
from seatrial.control.slim import slim_pod
from seatrial.evidence.ask import Ask, Pod
from seatrial.evidence.carried import Carriers, Wanted
from seatrial.evidence.endpoints import Endpoints
from seatrial.evidence.envoy import Traffic
from seatrial.evidence.question import INGRESS
from seatrial.kube.client import Kube
from seatrial.kube.kinds import POD
from seatrial.rollout.world import Mesh, Routing

EDGE_AGE = 2.0  # seconds for which the pods of istiod and the ingress gateway are taken as known
LOOK_EVERY = 0.9  # seconds between two looks at what is under way
LOOKS_TO_BE_SURE = 2
_ISTIOD = {"app": "istiod"}


@dataclass(frozen=True)
class Moving:
    """Revisions on their way: `arriving` have ready pods and no traffic yet, `leaving` shall get none any more."""

    arriving: frozenset[int] = frozenset()
    leaving: frozenset[int] = frozenset()


@dataclass
class _Looks:
    """At one host: when it was looked last, with what result, and how often since its routes settled."""

    at: float = float("-inf")
    busy: Mapping[int, int] = field(default_factory=dict)
    since_settled: int = 0


class MeshView:
    """Asks only what is needed: nobody where everything is settled and nothing leaves."""

    def __init__(self, kube: Kube, cache: Cache, ask: Ask, clock: Callable[[], float] = time.monotonic) -> None:
        self._kube = kube
        self._cache = cache
        self._carriers = Carriers(ask)
        self._traffic = Traffic(ask)
        self._endpoints = Endpoints(ask)
        self._clock = clock
        self._edge: tuple[float, list[Object]] = (float("-inf"), [])
        self._asking_edge = asyncio.Lock()
        self._looks: dict[str, _Looks] = {}

    async def look(self, service: MeshService, known: Known, live: Routing, moving: Moving) -> tuple[Mesh, str]:
        """The mesh, and why its proxies couldn't be asked."""
        if not service.spec.service_ports or not live.weights:
            return Mesh(live=live), ""
        host = host_of(service.metadata.name, service.metadata.namespace)
        callers = [pod for pods in (await self.callers(service, known)).values() for pod in pods]
        wanted = Wanted(host, live.splits, live.subsets)
        carried = await self._carriers.look(wanted, callers, await self._istiods(), self._clock())
        looks = self._looks.setdefault(host, _Looks())
        if carried.waiting_for:
            looks.since_settled = 0
        busy = await self._busy(service, host, callers, looks, moving.leaving, settled=not carried.waiting_for)
        unseen = await self._unseen(host, callers, live, moving)
        return Mesh(live=live, waiting_for=(*carried.waiting_for, *unseen), busy=busy), carried.unverified

    async def before_write(self, namespace: str, name: str) -> None:
        """Note where the callers' proxies are: our write is carried by those that go on from there."""
        await self._carriers.remember(host_of(name, namespace), await self._istiods(), self._clock())

    def forget(self, namespace: str, name: str) -> None:
        """Drop what is remembered of a service that is gone."""
        host = host_of(name, namespace)
        self._carriers.forget(host)
        self._traffic.forget(host)
        self._endpoints.forget(host)
        self._looks.pop(host, None)

    async def _unseen(self, host: str, callers: list[Pod], live: Routing, moving: Moving) -> tuple[str, ...]:
        """Callers that would have no pod to send to, said with the revision that they don't know."""
        for revision in moving.leaving:
            self._endpoints.forget(host, revision)
        said: list[str] = []
        for revision in sorted(moving.arriving & live.subsets):
            proxies = await self._endpoints.unseen_by(host, revision, callers)
            said += [f"{proxy} (knows no pod of revision {revision} yet)" for proxy in proxies]
        return tuple(said)

    async def _busy(  # noqa: PLR0913 # each is needed and named
        self,
        service: MeshService,
        host: str,
        callers: list[Pod],
        looks: _Looks,
        leaving: frozenset[int],
        *,
        settled: bool,
    ) -> Mapping[int, int]:
        """Until it was looked twice since the routes settled, whatever leaves counts as busy."""
        if not leaving:
            looks.since_settled = 0
            return {}
        now = self._clock()
        if now - looks.at >= LOOK_EVERY:
            streams = all(p.app_protocol == "tcp" for p in service.spec.service_ports)
            looks.busy = await self._traffic.look(host, callers, streams=streams)
            looks.at = now
            looks.since_settled += settled
        if looks.since_settled < LOOKS_TO_BE_SURE:
            return {n: max(1, looks.busy.get(n, 0)) for n in leaving}
        return looks.busy

    async def callers(self, service: MeshService, known: Known) -> dict[str, list[Pod]]:
        """The pods that may call it, by service (`namespace/name`) or `ingress`."""
        own = service.metadata
        pods: dict[str, list[Object]] = {}
        for caller in service.spec.security.callers:
            if caller.ingress is not None and service.spec.expose:
                pods[INGRESS] = [p for p in await self._edge_pods() if _has(p, INGRESS_SELECTOR)]
            elif caller.service is not None:
                key = (caller.namespace or own.namespace, caller.service)
                other = known.services.get(key)
                if other is not None and _calls(other, service):
                    pods["/".join(key)] = list(self._cache.pods(*key))
        return {name: [pod_of(p) for p in found if has_proxy(p)] for name, found in pods.items()}

    async def _istiods(self) -> list[Pod]:
        return [
            pod_of(p) for p in await self._edge_pods() if _has(p, _ISTIOD) and p["status"].get("podIP") and is_ready(p)
        ]

    async def _edge_pods(self) -> list[Object]:
        async with self._asking_edge:  # many services want to know at once
            at, pods = self._edge
            if self._clock() - at >= EDGE_AGE:
                labels = {"istio": ("pilot", INGRESS_SELECTOR["istio"])}
                pods = [slim_pod(p) for p in await self._kube.list(POD, INGRESS_NAMESPACE, labels=labels)]
                self._edge = (self._clock(), pods)
            return pods


def _calls(caller: MeshService, callee: MeshService) -> bool:
    own, end = caller.metadata.namespace, callee.metadata
    return any(c.service == end.name and (c.namespace or own) == end.namespace for c in caller.spec.security.calls)


def pod_of(obj: Object) -> Pod:
    """Where its proxy is asked."""
    return Pod(obj["metadata"]["namespace"], obj["metadata"]["name"], obj["status"]["podIP"])


def _has(obj: Object, labels: Mapping[str, str]) -> bool:
    return labels.items() <= (obj["metadata"].get("labels") or {}).items()
