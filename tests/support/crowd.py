"""Hundreds of services on a real API server whose pods run nowhere: their kubelet, sidecars and istiod are stand-ins.

In each namespace a front calls all others, and each of the others is called by its neighbour too. All stand-ins live in
one thread with a loop of its own.
"""

import asyncio
import threading
from collections import Counter, defaultdict
from collections.abc import AsyncIterable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from lightkube import ApiError, AsyncClient
from lightkube.generic_resource import get_generic_resource
from lightkube.types import PatchType, on_error_retry

from seatrial.api.names import INGRESS_NAMESPACE, INGRESS_SELECTOR
from seatrial.kube.client import configuration
from seatrial.kube.kinds import AUTHORIZATION_POLICY, DESTINATION_RULE, POD, SIDECAR, VIRTUAL_SERVICE, Kind
from support.kubectl import CONTEXT, Kubectl, Object
from support.kubelet import SCHEDULER, Kubelet, running
from support.pilot import Pilot
from support.sidecars import Aboard, Sidecars, Traffic

OURS = {"app.kubernetes.io/managed-by": "seatrial"}
PODS = 2  # of each service
CALLERS = 2 * PODS  # proxies that call a service: those of the front and of the neighbour
ISTIOD: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "istiod", "namespace": INGRESS_NAMESPACE, "labels": {"app": "istiod", "istio": "pilot"}},
    "spec": {"schedulerName": SCHEDULER, "containers": [{"name": "discovery", "image": "seatrial/nowhere:1"}]},
}
CONFIGURED = (VIRTUAL_SERVICE, DESTINATION_RULE, SIDECAR, AUTHORIZATION_POLICY)  # what istiod's store has much of


@dataclass(frozen=True)
class Member:
    """One service. `number` counts within its namespace, of which `size` says how many there are; 0 is the front."""

    namespace: str
    number: int
    size: int

    @property
    def name(self) -> str:
        """Of its MeshService."""
        return f"s{self.number}" if self.number else "front"

    @property
    def host(self) -> str:
        """What its clusters are called by."""
        return f"{self.name}.{self.namespace}.svc.cluster.local"

    def manifest(self, release: str) -> Object:
        """Its MeshService, of which the release is a part of the template."""
        names = ["front", *(f"s{n}" for n in range(1, self.size))]
        calls = names[1:] if not self.number else names[self.number + 1 : self.number + 2]
        callers = [] if not self.number else list(dict.fromkeys(["front", names[self.number - 1]]))
        return {
            "apiVersion": "seatrial.dev/v1alpha1",
            "kind": "MeshService",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {
                "image": "seatrial/nowhere:1",
                "port": 8080,
                "replicas": PODS,
                "env": {"RELEASE": release},
                "podTemplate": {"spec": {"schedulerName": SCHEDULER}},
                "rollout": {"steps": [10, 50], "analysis": {}, "progressDeadline": "5m"},
                "shutdown": {"drain": "5s"},
                "security": {
                    "callers": [{"service": name} for name in callers],
                    "calls": [{"service": name} for name in calls],
                },
            },
        }


class Crowd:
    """The stand-ins, while the block lasts. `rate` is what comes to each service; `fails` the share by host of r2."""

    def __init__(self, kubectl: Kubectl, rate: float) -> None:
        self.fails: Mapping[str, float] = {}
        self.kubectl = kubectl
        self._rate = rate / CALLERS
        self._ready: dict[str, Counter[int]] = defaultdict(Counter)  # by host and revision
        self._proxies: dict[str, str] = {}  # by uid
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="crowd")
        self._watching: list[asyncio.Task[None]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        self._within(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._within(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    @property
    def istiod(self) -> str:
        """Where istiod is asked."""
        return self.pilot.url

    def looks(self) -> dict[str, list[float]]:
        """When the sidecar of each pod was asked what came in: once a look at its service's rollout."""
        return {proxy: list(times) for proxy, times in self.sidecars.looks.items()}

    def _within(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=60)

    async def _start(self) -> None:
        self._client = AsyncClient(configuration(CONTEXT))
        self.sidecars = Sidecars(self._traffic)
        self.pilot = Pilot(self._proxies.values)
        self.kubelet = Kubelet(self._tell, self._aboard, self._ashore)
        await self.pilot.start()
        await self._client.create(_resource(POD)(ISTIOD))
        await self._tell(ISTIOD, running(ISTIOD, "127.0.0.1"))
        watched: list[tuple[AsyncIterable[tuple[str, Any]], Callable[[str, Object], None]]] = [
            (self._watch(POD), self._pod),
            (self._watch(POD, INGRESS_SELECTOR), self._connected),
            *((self._watch(kind), self.pilot.take) for kind in CONFIGURED),
        ]
        self._watching = [asyncio.create_task(_follow(*pair)) for pair in watched]

    def _watch(self, kind: Kind, labels: Mapping[str, str] = OURS) -> AsyncIterable[tuple[str, Any]]:
        return self._client.watch(_resource(kind), namespace="*", labels={**labels}, on_error=on_error_retry)

    async def _tell(self, pod: Object, status: Object) -> None:
        meta = pod["metadata"]
        with suppress(ApiError):  # it may be gone meanwhile
            await self._client.patch(
                _resource(POD).Status,
                meta["name"],
                {"status": status},
                namespace=meta["namespace"],
                patch_type=PatchType.MERGE,
            )

    async def _stop(self) -> None:
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        self.sidecars.close()
        await self.pilot.stop()
        await self._client.close()

    def _pod(self, event: str, pod: Object) -> None:
        self._connected(event, pod)
        self.kubelet.take(event, pod)

    def _connected(self, event: str, pod: Object) -> None:
        meta = pod["metadata"]
        if event == "DELETED":
            self._proxies.pop(meta["uid"], None)
        else:
            self._proxies[meta["uid"]] = f"{meta['name']}.{meta['namespace']}"

    async def _aboard(self, ip: str, pod: Object) -> None:
        aboard = _of(pod)
        await self.sidecars.begin(ip, aboard)
        self._ready[aboard.host][aboard.revision] += 1

    def _ashore(self, ip: str, pod: Object) -> None:
        aboard = _of(pod)
        self.sidecars.end(ip)
        self._ready[aboard.host][aboard.revision] -= 1

    def _traffic(self, host: str) -> Traffic:
        return Traffic(self._rate, self.pilot.weights(host), {2: self.fails.get(host, 0.0)}, self._ready[host])


def _resource(kind: Kind) -> Any:
    """What the client library calls it; the operator's own client made it known there."""
    find: Callable[[str, str], Any] = get_generic_resource
    return find(kind.api_version, kind.name)


def _of(pod: Object) -> Aboard:
    meta = pod["metadata"]
    host = f"{meta['labels']['seatrial.dev/service']}.{meta['namespace']}.svc.cluster.local"
    return Aboard(f"{meta['name']}.{meta['namespace']}", host, int(meta["labels"]["seatrial.dev/revision"]))


async def _follow(watch: AsyncIterable[tuple[str, Any]], take: Callable[[str, Object], None]) -> None:
    async for event, obj in watch:
        take(event, dict(obj))


def members(namespaces: list[str], services: int) -> list[Member]:
    """So many services, spread over the namespaces."""
    size = -(-services // len(namespaces))
    sizes = [min(size, services - size * n) for n in range(len(namespaces))]
    return [
        Member(namespace, number, of) for namespace, of in zip(namespaces, sizes, strict=True) for number in range(of)
    ]
