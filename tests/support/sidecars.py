"""Stand-ins for the sidecars of pods that run nowhere: Envoy's statistics, served at one address of loopback a pod.

Names, labels and histograms are those of a real Envoy. The counters follow a rate, the weights that the mesh has, and
the share of requests that a revision fails; they go on when somebody looks, by as much as came since the look before.
"""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import unquote

import numpy as np

from support.envoy import histogram_buckets

PORT = 15090
EARLIER = 1000  # requests that each stable revision had answered before anybody looked
_HOSTS = re.compile(r"\|\((?P<many>[^)]+)\)|\|(?P<one>[^|]+\.svc\.cluster\.local);")
_SUBSET = re.compile(r"\|r(?P<revision>[0-9]+)\|")
# How long requests take: the share that took no longer than so many milliseconds.
_SHARES = {1: 0.02, 2: 0.2, 3: 0.55, 5: 0.85, 7.5: 0.93, 10: 0.96, 15: 0.98, 20: 0.99, 30: 0.995, 75: 0.999, 150: 1.0}


@dataclass(frozen=True)
class Traffic:
    """What comes to a service: requests a second of each of its callers' proxies, and the weights by revision.

    `fails` is the share of requests that a revision fails; `pods` are the ready pods of each.
    """

    rate: float
    weights: Mapping[int, int]
    fails: Mapping[int, float]
    pods: Mapping[int, int]


@dataclass(frozen=True)
class Aboard:
    """A pod with a sidecar: its service's host, and its revision."""

    proxy: str
    host: str
    revision: int


@dataclass
class _Flow:
    """Of one proxy to one cluster."""

    requests: int = 0
    failed: int = 0


@dataclass
class _Counted:
    """Of one proxy towards one host, or of what came in."""

    at: float
    flows: dict[int, _Flow] = field(default_factory=lambda: defaultdict(_Flow))


class Sidecars:
    """Serves in the running loop. `traffic` says what comes to a host; `looks` has when each proxy was asked for it."""

    def __init__(
        self, traffic: Callable[[str], Traffic], *, seed: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.looks: dict[str, list[float]] = defaultdict(list)
        self.pages = 0
        self._traffic = traffic
        self._clock = clock
        self._random = np.random.default_rng(seed)
        self._aboard: dict[str, Aboard] = {}
        self._servers: dict[str, asyncio.Server] = {}
        self._counted: dict[tuple[str, str], _Counted] = {}
        self._began: dict[str, float] = {}

    async def begin(self, ip: str, pod: Aboard) -> None:
        """Answer at an address for a pod."""
        self._aboard[ip] = pod
        self._began[ip] = self._clock()
        loop = asyncio.get_running_loop()
        self._servers[ip] = await loop.create_server(lambda: _Http(self._answer), ip, PORT)

    def end(self, ip: str) -> None:
        """The pod is gone."""
        if server := self._servers.pop(ip, None):
            server.close()
            del self._aboard[ip]

    def close(self) -> None:
        """All are gone."""
        for ip in list(self._servers):
            self.end(ip)

    def _answer(self, ip: str, path: str) -> bytes:
        pod = self._aboard.get(ip)
        if pod is None:
            return b""
        self.pages += 1
        asked = unquote(path).replace("\\", "")
        if "membership_healthy" in asked:
            return "".join(_membership(asked, self._traffic)).encode()
        if "inbound|" in asked:
            self.looks[pod.proxy].append(self._clock())
            lines = self._inbound(pod, asked)
        else:
            lines = (line for host in _hosts(asked) for line in self._outbound(pod, host, asked))
        return "\n".join([*lines, f"envoy_server_uptime{{}} {int(self._clock() - self._began[ip])}", ""]).encode()

    def _inbound(self, pod: Aboard, asked: str) -> Iterator[str]:
        traffic = self._traffic(pod.host)
        callers = max(traffic.pods.get(pod.revision, 1), 1)
        weights = {pod.revision: traffic.weights.get(pod.revision, 0)}
        share = Traffic(traffic.rate / callers, weights, traffic.fails, traffic.pods)
        for flow in self._count(pod, "", share).values():
            yield from _page("inbound|8080||", flow, asked)

    def _outbound(self, pod: Aboard, host: str, asked: str) -> Iterator[str]:
        busy = "rq_completed" in asked
        for revision, flow in self._count(pod, host, self._traffic(host)).items():
            name = f"outbound|80|r{revision}|{host};"
            yield from _under_way(name, flow) if busy else _page(name, flow, asked)

    def _count(self, pod: Aboard, host: str, traffic: Traffic) -> Mapping[int, _Flow]:
        now = self._clock()
        counted = self._counted.get((pod.proxy, host))
        if counted is None:
            counted = self._counted[pod.proxy, host] = _Counted(now)
            if traffic.weights:
                counted.flows[max(traffic.weights, key=lambda r: traffic.weights[r])].requests = EARLIER
        for revision, weight in traffic.weights.items():
            came = int(self._random.poisson(traffic.rate * weight / 100 * (now - counted.at)))
            if came:
                flow = counted.flows[revision]
                flow.requests += came
                flow.failed += int(self._random.binomial(came, traffic.fails.get(revision, 0.0)))
        counted.at = now
        return counted.flows


def _hosts(asked: str) -> Iterable[str]:
    found = _HOSTS.search(asked)
    if found is None:
        return ()
    return (found["many"] or found["one"]).split("|")


def _membership(asked: str, traffic: Callable[[str], Traffic]) -> Iterator[str]:
    subset = _SUBSET.search(asked)
    for host in _hosts(asked):
        revision = int(subset["revision"]) if subset else 0
        healthy = traffic(host).pods.get(revision, 0)
        yield f'envoy_cluster_membership_healthy{{cluster_name="outbound|80|r{revision}|{host};"}} {healthy}\n'


def _page(cluster: str, flow: _Flow, asked: str) -> Iterator[str]:
    """As a real Envoy tells of a cluster that was used, with the filter of an operator that looks for evidence."""
    name = f'cluster_name="{cluster}"'
    yield f"envoy_cluster_upstream_cx_http2_total{{{name}}} 2"
    for code, count in (("200", flow.requests - flow.failed), ("503", flow.failed)):
        if count:
            yield f'envoy_cluster_upstream_rq{{{name},response_code="{code}"}} {count}'
    yield f"envoy_cluster_upstream_rq_total{{{name}}} {flow.requests}"
    yield f"envoy_cluster_upstream_rq_active{{{name}}} 0"
    yield f"envoy_cluster_upstream_rq_pending_active{{{name}}} 0"
    if "upstream_rq_time" not in asked:
        return
    for bound, share in _BOUNDS:
        yield f'envoy_cluster_upstream_rq_time_bucket{{{name},le="{bound}"}} {int(flow.requests * share)}'
    yield f'envoy_cluster_upstream_rq_time_bucket{{{name},le="+Inf"}} {flow.requests}'
    yield f"envoy_cluster_upstream_rq_time_sum{{{name}}} {3.7 * flow.requests}"
    yield f"envoy_cluster_upstream_rq_time_count{{{name}}} {flow.requests}"


def _under_way(cluster: str, flow: _Flow) -> Iterator[str]:
    name = f'cluster_name="{cluster}"'
    yield f"envoy_cluster_upstream_rq_completed{{{name}}} {flow.requests}"
    yield f"envoy_cluster_upstream_rq_active{{{name}}} 0"
    yield f"envoy_cluster_upstream_cx_active{{{name}}} 2"


def _bounds() -> tuple[tuple[str, float], ...]:
    return tuple(
        (f"{bound:g}", max((share for upto, share in _SHARES.items() if upto <= bound), default=0.0))
        for bound in histogram_buckets()
    )


_BOUNDS = _bounds()


class _Http(asyncio.Protocol):
    """As much of HTTP/1.1 as GET needs: there are hundreds a second, on the cores that the operator has."""

    def __init__(self, answer: Callable[[str, str], bytes]) -> None:
        self._answer = answer
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ip: str = transport.get_extra_info("sockname")[0]

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while b"\r\n\r\n" in self._heard:
            asked, _, self._heard = self._heard.partition(b"\r\n\r\n")
            body = self._answer(self._ip, asked.split(b" ", 2)[1].decode())
            head = f"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {len(body)}\r\n\r\n"
            self._transport.write(head.encode() + body)
