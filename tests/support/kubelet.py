"""A stand-in for the kubelet: pods that name it as their scheduler become Ready without running anywhere.

Nobody else cares for such pods: the real scheduler leaves them alone, and without a node no kubelet starts them. To the
rest of the cluster they are pods like others, with an address and conditions.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import IPv4Address

from support.kubectl import Object

SCHEDULER = "stand-in"
STARTS_IN = 2.0  # seconds from a pod's creation until it is ready
_FIRST = IPv4Address("127.64.0.1")
_SINCE = "2026-01-01T00:00:00Z"


class Kubelet:
    """`began` is awaited with the address of each pod that is about to be ready, `ended` is told of each that goes.

    `tell` writes a pod's status.
    """

    def __init__(
        self,
        tell: Callable[[Object, Object], Awaitable[None]],
        began: Callable[[str, Object], Awaitable[None]],
        ended: Callable[[str, Object], None],
    ) -> None:
        self._tell = tell
        self._began = began
        self._ended = ended
        self._addresses: Iterator[str] = (str(_FIRST + n) for n in range(2**20))
        self._ips: dict[str, str] = {}  # by uid
        self._starting: set[asyncio.Task[None]] = set()

    def take(self, event: str, pod: Object) -> None:
        """What a watch says."""
        uid = pod["metadata"]["uid"]
        if pod["spec"].get("schedulerName") != SCHEDULER:
            return
        if event == "DELETED":
            if ip := self._ips.pop(uid, None):
                self._ended(ip, pod)
        elif uid not in self._ips:
            self._ips[uid] = next(self._addresses)
            task = asyncio.create_task(self._start(pod, self._ips[uid]))
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def _start(self, pod: Object, ip: str) -> None:
        await asyncio.sleep(STARTS_IN)
        if self._ips.get(pod["metadata"]["uid"]) != ip:
            return
        await self._began(ip, pod)
        await self._tell(pod, running(pod, ip))


def running(pod: Object, ip: str) -> Object:
    """The status of a pod that is ready, its sidecar too."""
    spec = pod["spec"]
    conditions = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    return {
        "phase": "Running",
        "startTime": _SINCE,
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "conditions": [{"type": c, "status": "True", "lastTransitionTime": _SINCE} for c in conditions],
        "initContainerStatuses": [_container({"name": "istio-proxy", "image": "nowhere"})],  # nobody injects one
        "containerStatuses": [_container(c) for c in spec["containers"]],
    }


def _container(spec: Object) -> Object:
    return {
        "name": spec["name"],
        "image": spec["image"],
        "imageID": "",
        "ready": True,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": _SINCE}},
    }
