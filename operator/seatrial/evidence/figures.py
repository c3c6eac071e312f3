"""Envoy's statistics page, read: the figures of each host by revision, and how long the proxy has been up.

The page is Prometheus text, and the names are Envoy's. A cluster's name ends with `;` where the mesh's version marks
its end so. Counters of zero are left out of the page (`usedonly`), so what isn't there is zero.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar
from urllib.parse import quote

Key = TypeVar("Key")

_NAMES = (
    r"upstream_rq_([0-9]{3}|total|active|pending_active|pending_failure_eject|pending_overflow|cancelled)",
    r"upstream_rq_(retry|timeout|per_try_timeout|rx_reset|time)",
    r"retry\.upstream_rq_[0-9]{3}",
    r"upstream_cx_(none_healthy|destroy_remote_with_active_rq|http[0-9]_total)",
    r"grpc\.[0-9]+",
)
_TCP_NAMES = (r"upstream_cx_(total|active|connect_fail|none_healthy|overflow|destroy_local_with_active_rq)",)
_UPTIME = r"^server\.uptime$"

_LINE = re.compile(
    r"^envoy_(?:server_uptime(?:\{\})?|cluster_(?P<stat>\w+)\{(?P<labels>[^}]*)\}) (?P<value>\S+)$", re.MULTILINE
)
_CLUSTER = re.compile(
    r'cluster_name="(?P<name>outbound\|[0-9]+\|r(?P<revision>[0-9]+)\|(?P<host>[^"|;]+)|inbound\|[0-9]+\|[^"|]*\|);?"'
)
_ANY_CLUSTER = re.compile(r'cluster_name="(?P<name>outbound\|[0-9]+\|[^"|]*\|[^"|;]+);?"')
_CODE = re.compile(r'response_code="([0-9]+)"')
_BOUND = re.compile(r'le="([0-9.]+)"')
_HTTP = re.compile(r"upstream_cx_http[0-9]_total")

HERE, OWN = "", 0  # stand for host and revision where a pod's own proxy tells what came in
AWAY = "*"  # stands for the host where it tells what its pod asked of all others together; the revision is `OWN`


@dataclass
class Figures:
    """Of one proxy towards one revision, over all ports: counts since the proxy began, and gauges."""

    counts: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)  # of the answers that the callers got
    retried: Counter[int] = field(default_factory=Counter)  # of answers after which Envoy tried again
    grpc: Counter[int] = field(default_factory=Counter)  # statuses
    within: Counter[float] = field(default_factory=Counter)  # requests that took at most so many milliseconds

    def plus(self, other: "Figures") -> "Figures":
        """Of both."""
        return Figures(
            counts=self.counts + other.counts,
            codes=self.codes + other.codes,
            retried=self.retried + other.retried,
            grpc=self.grpc + other.grpc,
            within=self.within + other.within,
        )

    def since(self, before: "Figures") -> "Figures":
        """What came in between."""
        return Figures(
            counts=_difference(self.counts, before.counts),
            codes=_difference(self.codes, before.codes),
            retried=_difference(self.retried, before.retried),
            grpc=_difference(self.grpc, before.grpc),
        )

    def fell_below(self, before: "Figures") -> bool:
        """Whether something that only ever grows is less than before."""
        grown = ((self.codes, before.codes), (self.retried, before.retried), (self.grpc, before.grpc))
        return any(now[key] < then[key] for now, then in grown for key in then) or any(
            self.counts[name] < count for name, count in before.counts.items() if not name.endswith("_active")
        )


@dataclass(frozen=True)
class Page:
    """What a proxy says of one host, by revision. `uptime` is in seconds, None where it doesn't say."""

    figures: Mapping[int, Figures]
    uptime: float | None


def outbound_path(hosts: Iterable[str], *, tcp: bool = False) -> str:
    """Path and query of what a caller's proxy knows of some hosts."""
    return _path(rf"outbound\|[0-9]+\|r[0-9]+\|({'|'.join(re.escape(host) for host in hosts)})", tcp=tcp)


def inbound_path(*, tcp: bool = False) -> str:
    """Path and query of what a pod's own proxy knows of what came in."""
    return _path(r"inbound\|[0-9]+\|[^|]*\|", tcp=tcp)


def away_path() -> str:
    """Path and query of what a pod's own proxy knows of all that the pod asked of others."""
    return _path(r"outbound\|[0-9]+\|[^|]*\|[^;]+", tcp=False)


def read(
    text: str, *, tcp: bool = False, away: bool = False
) -> tuple[Mapping[str, Mapping[int, Figures]], float | None]:
    """The figures of a page by host and revision, and the uptime; with `away` those of all hosts together.

    Clusters that speak no HTTP are left out unless `tcp` is asked for: they share some names with HTTP's, and mean
    something else by them.
    """
    uptime: float | None = None
    clusters: dict[str, tuple[_Labels, Figures]] = {}
    for stat, labels, value in _LINE.findall(text):
        if not stat:
            uptime = float(value)
            continue
        about = _read_labels_of_any(labels) if away else _read_labels(labels)
        if about is not None:
            known = clusters.get(about.cluster)
            if known is None:
                known = clusters[about.cluster] = about, Figures()
            _add(known[1], stat, about, int(float(value)))
    hosts: dict[str, dict[int, Figures]] = {}
    for about, of in clusters.values():
        if tcp or of.codes or any(_HTTP.fullmatch(name) for name in of.counts):
            by_revision = hosts.setdefault(about.host, {})
            known_of = by_revision.get(about.revision)
            by_revision[about.revision] = of if known_of is None else known_of.plus(of)
    return hosts, uptime


@dataclass(frozen=True)
class _Labels:
    """What the labels of a series say."""

    cluster: str
    host: str
    revision: int
    code: int | None
    bound: float | None


@lru_cache(maxsize=65_536)
def _read_labels(labels: str) -> _Labels | None:
    """None where they aren't those of a cluster of ours. Each second the same ones come again."""
    cluster = _CLUSTER.search(labels)
    if cluster is None:
        return None
    return _labels(cluster["name"], cluster["host"] or HERE, int(cluster["revision"] or OWN), labels)


@lru_cache(maxsize=65_536)
def _read_labels_of_any(labels: str) -> _Labels | None:
    """The same of a cluster of whomever, which is a part of one figure."""
    cluster = _ANY_CLUSTER.search(labels)
    return None if cluster is None else _labels(cluster["name"], AWAY, OWN, labels)


def _labels(cluster: str, host: str, revision: int, labels: str) -> _Labels:
    code, bound = _CODE.search(labels), _BOUND.search(labels)
    return _Labels(
        cluster=cluster,
        host=host,
        revision=revision,
        code=int(code[1]) if code else None,
        bound=float(bound[1]) if bound else None,
    )


def _add(of: Figures, stat: str, about: _Labels, value: int) -> None:
    """Of the two kinds of series in `upstream_rq`, by code and by class of codes, the first alone is summed."""
    if about.bound is not None:
        if stat == "upstream_rq_time_bucket":
            of.within[about.bound] += value
    elif stat in ("upstream_rq", "retry_upstream_rq"):
        if about.code is not None:
            codes = of.codes if stat == "upstream_rq" else of.retried
            codes[about.code] += value
    elif stat.startswith("grpc_"):
        status = stat.removeprefix("grpc_")
        if status.isdigit():
            of.grpc[int(status)] += value
    elif not stat.endswith("_sum"):
        of.counts[stat] += value


def _path(cluster: str, *, tcp: bool) -> str:
    names = "|".join(_TCP_NAMES if tcp else _NAMES)
    pattern = rf"^cluster\.{cluster};?\.({names})$|{_UPTIME}"
    return f"/stats/prometheus?usedonly&filter={quote(pattern, safe='')}"


def _difference(now: Counter[Key], then: Counter[Key]) -> Counter[Key]:
    return Counter({key: count - then[key] for key, count in now.items()})
