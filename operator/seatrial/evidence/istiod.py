"""What istiod says of a proxy: the configuration that it generates for it, and whether the last of it was acknowledged.

Source: `pilot/pkg/xds/debug.go` of Istio. `/debug/syncz` has for each proxy and kind of resource the nonce that was
sent last and the one acknowledged last. A nonce is the version of the push (`RFC3339 time/counter`, counted by each
istiod) followed by a UUID of 36 characters. `/debug/config_dump?proxyID=` is what istiod generates from the push that
the proxy is at.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

UUID_LENGTH = 36


@dataclass(frozen=True)
class Sync:
    """Nonces of one proxy, empty where the kind was never sent to it."""

    cluster: tuple[str, str]
    route: tuple[str, str]
    listener: tuple[str, str]

    @property
    def acknowledged(self) -> bool:
        """Nothing is on its way to the proxy, and nothing was refused by it."""
        return all(sent == acked for sent, acked in (self.cluster, self.route, self.listener))


@dataclass(frozen=True)
class Generated:
    """What a proxy is meant to carry towards one host.

    `weights` has one entry for each route or listener that leads there: revision → percent; None stands for a route to
    no revision at all. `version` is the highest push counter in it.
    """

    weights: tuple[Mapping[int, int] | None, ...]
    subsets: frozenset[int]
    version: int


def parse_syncz(body: bytes) -> dict[str, Sync]:
    """By proxy, named `pod.namespace`. Raises ValueError when it isn't what istiod answers."""
    return {
        entry["proxy"]: Sync(*((entry.get(f"{kind}_sent", ""), entry.get(f"{kind}_acked", "")) for kind in _KINDS))
        for entry in json.loads(body) or []
        if entry.get("proxy")
    }


_KINDS = ("cluster", "route", "listener")


def counter(nonce: str) -> int:
    """The push counter of a nonce; -1 where there is none.

    >>> counter("2026-11-21T11:01:22Z/923f09863-78ad-4a4b-ad40-4b3dab6b994f")
    9
    """
    return version_counter(nonce[:-UUID_LENGTH])


def version_counter(version: str) -> int:
    """The counter of a push version such as ``2026-11-21T11:01:22Z/9``; -1 where there is none."""
    number = version.rpartition("/")[2]
    return int(number) if number.isdigit() else -1


class Dump:
    """The whole configuration of a proxy, read once and asked for each host."""

    def __init__(self, body: bytes) -> None:
        configs = json.loads(body).get("configs", [])
        clusters = [c for c in configs if c.get("@type", "").endswith("ClustersConfigDump")]
        routing = [c for c in configs if c.get("@type", "").endswith((".RoutesConfigDump", "ListenersConfigDump"))]
        self._subsets: dict[str, set[int]] = {}
        for name in (n for config in clusters for n in _cluster_names(config)):
            host = name.rpartition("|")[2]
            if (number := _revision(name, host)) is not None:
                self._subsets.setdefault(host, set()).add(number)
        self._weights: dict[str, list[Mapping[int, int] | None]] = {}
        versions = [c["versionInfo"] for c in clusters if isinstance(c.get("versionInfo"), str)]
        for node in (n for config in routing for n in _objects(config)):
            if isinstance(version := node.get("versionInfo"), str):
                versions.append(version)
            for host in _hosts(node):
                self._weights.setdefault(host, []).append(_weights(node, host))
        self._version = max(map(version_counter, versions), default=-1)

    def towards(self, host: str) -> Generated:
        """What it says of `host` (a fully qualified service name)."""
        weights = tuple(self._weights.get(host, ()))
        return Generated(weights=weights, subsets=frozenset(self._subsets.get(host, ())), version=self._version)


def parse_dump(body: bytes, host: str) -> Generated:
    """What a proxy's configuration says of one host."""
    return Dump(body).towards(host)


def _objects(node: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 # JSON
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from _objects(value)


def _cluster_names(config: Mapping[str, Any]) -> Iterator[str]:
    for entry in config.get("dynamicActiveClusters", []):
        yield entry.get("cluster", {}).get("name", "")


def _parts(node: Mapping[str, Any]) -> Mapping[str, int]:
    """Of a route action or a TCP proxy: cluster → percent."""
    if isinstance(weighted := node.get("weightedClusters"), dict):
        return {c.get("name", ""): int(c.get("weight", 0)) for c in weighted.get("clusters", [])}
    return {name: 100} if isinstance(name := node.get("cluster"), str) else {}


def _hosts(node: Mapping[str, Any]) -> set[str]:
    return {name.rpartition("|")[2] for name in _parts(node) if name.startswith("outbound|")}


def _weights(node: Mapping[str, Any], host: str) -> Mapping[int, int] | None:
    """Revision → percent; None where something else than revisions of `host` is among them."""
    found = {_revision(name, host): weight for name, weight in _parts(node).items() if weight}
    return None if None in found else {number: w for number, w in found.items() if number is not None}


def _leads_to(cluster: str, host: str) -> bool:
    return cluster.startswith("outbound|") and cluster.endswith(f"|{host}")


def _revision(cluster: str, host: str) -> int | None:
    """The revision of a cluster name such as ``outbound|80|r3|orders.shop.svc.cluster.local``."""
    if not _leads_to(cluster, host):
        return None
    subset = cluster.split("|")[2]
    return int(subset[1:]) if subset.startswith("r") and subset[1:].isdigit() else None
