"""Envoy's statistics page, read: the figures of one host by revision, and how long the proxy has been up.

The page is Prometheus text, and the names are Envoy's. A cluster's name ends with `;` where the mesh's version marks
its end so. Counters of zero are left out of the page (`usedonly`), so what isn't there is zero.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
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
_HTTP = re.compile(r"upstream_cx_http[0-9]_total")
_CODE = re.compile(r'response_code="([0-9]+)"')
_BOUND = re.compile(r'le="([0-9.]+)"')

OWN = 0  # stands for the revision where a pod's own proxy tells what came in


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
    """One answer of a proxy. `uptime` is in seconds, None where it doesn't say."""

    figures: dict[int, Figures]
    uptime: float | None


def outbound_path(host: str, *, tcp: bool = False) -> str:
    """Path and query of what a caller's proxy knows of a host."""
    return _path(rf"outbound\|[0-9]+\|r[0-9]+\|{re.escape(host)}", tcp=tcp)


def inbound_path(*, tcp: bool = False) -> str:
    """Path and query of what a pod's own proxy knows of what came in."""
    return _path(r"inbound\|[0-9]+\|[^|]*\|", tcp=tcp)


def read(text: str, host: str, *, tcp: bool = False) -> Page:
    """Read a page; clusters of other hosts are left out, and those that speak no HTTP unless `tcp` is asked for.

    Those share some names with HTTP's, and mean something else by them.
    """
    uptime: float | None = None
    clusters: dict[str, tuple[int, Figures]] = {}
    for found in _LINE.finditer(text):
        stat, labels = found["stat"], found["labels"]
        if stat is None:
            uptime = float(found["value"])
            continue
        cluster = _CLUSTER.search(labels)
        if cluster and cluster["host"] in (host, None):
            known = clusters.get(cluster["name"])
            if known is None:
                known = clusters[cluster["name"]] = int(cluster["revision"] or OWN), Figures()
            _add(known[1], stat, labels, int(float(found["value"])))
    return Page(_by_revision(clusters.values(), tcp=tcp), uptime)


def _by_revision(clusters: Iterable[tuple[int, Figures]], *, tcp: bool) -> dict[int, Figures]:
    """The ports of a revision together."""
    figures: dict[int, Figures] = {}
    for revision, of in clusters:
        if tcp or of.codes or any(_HTTP.fullmatch(name) for name in of.counts):
            known = figures.get(revision)
            figures[revision] = of if known is None else known.plus(of)
    return figures


def _difference(now: Counter[Key], then: Counter[Key]) -> Counter[Key]:
    return Counter({key: count - then[key] for key, count in now.items()})


def _add(of: Figures, stat: str, labels: str, value: int) -> None:
    """Of the two kinds of series in `upstream_rq`, by code and by class of codes, the first alone is summed."""
    if stat in ("upstream_rq", "retry_upstream_rq"):
        code = _CODE.search(labels)
        if code:
            codes = of.codes if stat == "upstream_rq" else of.retried
            codes[int(code[1])] += value
    elif stat.endswith("_bucket"):
        bound = _BOUND.search(labels)
        if bound and stat == "upstream_rq_time_bucket":
            of.within[float(bound[1])] += value
    elif stat.startswith("grpc_"):
        status = stat.removeprefix("grpc_")
        if status.isdigit():
            of.grpc[int(status)] += value
    else:
        of.counts[stat] += value


def _path(cluster: str, *, tcp: bool) -> str:
    names = "|".join(_TCP_NAMES if tcp else _NAMES)
    pattern = rf"^cluster\.{cluster};?\.({names})$|{_UPTIME}"
    return f"/stats/prometheus?usedonly&filter={quote(pattern, safe='')}"
