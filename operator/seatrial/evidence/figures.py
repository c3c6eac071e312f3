"""Envoy's statistics page, read: the figures of each host by revision, and how long the proxy has been up.

The page is Prometheus text, and the names are Envoy's. A cluster's name ends with `;` where the mesh's version marks
its end so. Counters of zero are left out of the page (`usedonly`), so what isn't there is zero.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar
from urllib.parse import quote

Key = TypeVar("Key")

_NAMES = (
    r"upstream_rq_([0-9]{3}|total|active|pending_active|pending_failure_eject|pending_overflow|cancelled)",
    r"upstream_rq_(retry|timeout|per_try_timeout|rx_reset)",
    r"retry\.upstream_rq_[0-9]{3}",
    r"upstream_cx_(none_healthy|destroy_remote_with_active_rq|http[0-9]_total)",
    r"grpc\.[0-9]+",
)
_LATENCY = r"upstream_rq_time"  # two thirds of a page, so it is asked for where somebody judges by it
_TCP_NAMES = (r"upstream_cx_(total|active|connect_fail|none_healthy|overflow|destroy_local_with_active_rq)",)
_UPTIME = r"^server\.uptime$"

_SERIES = re.compile(r"envoy_(?:server_uptime(?:\{\})?|cluster_(?P<stat>\w+)\{(?P<labels>[^}]*)\})")
_CLUSTER = re.compile(
    r'cluster_name="(?P<name>outbound\|[0-9]+\|r(?P<revision>[0-9]+)\|(?P<host>[^"|;]+)|inbound\|[0-9]+\|[^"|]*\|);?"'
)
_ANY_CLUSTER = re.compile(r'cluster_name="(?P<name>outbound\|[0-9]+\|[^"|]*\|[^"|;]+);?"')
_CODE = re.compile(r'response_code="([0-9]+)"')
_BOUND = re.compile(r'le="([0-9.]+)"')
_HTTP = re.compile(r"upstream_cx_http[0-9]_total")

HERE, OWN = "", 0  # stand for host and revision where a pod's own proxy tells what came in
AWAY = "*"  # stands for the host where it tells what its pod asked of all others together; the revision is `OWN`


class Counts(Counter[Key]):
    """A Counter of what is counted already: it would go through it all, and hundreds are made each second."""

    def __init__(self, counts: Mapping[Key, int] | None = None) -> None:
        dict.__init__(self, counts or {})


@dataclass
class Figures:
    """Of one proxy towards one revision, over all ports: counts since the proxy began, and gauges."""

    counts: Counter[str] = field(default_factory=Counts)
    codes: Counter[int] = field(default_factory=Counts)  # of the answers that the callers got
    retried: Counter[int] = field(default_factory=Counts)  # of answers after which Envoy tried again
    grpc: Counter[int] = field(default_factory=Counts)  # statuses
    within: Counter[float] = field(default_factory=Counts)  # requests that took at most so many milliseconds

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


def outbound_path(hosts: Iterable[str], *, tcp: bool = False, latency: bool = True) -> str:
    """Path and query of what a caller's proxy knows of some hosts."""
    some = "|".join(re.escape(host) for host in hosts)
    return _path(rf"outbound\|[0-9]+\|r[0-9]+\|({some})", tcp=tcp, latency=latency)


def inbound_path(*, tcp: bool = False) -> str:
    """Path and query of what a pod's own proxy knows of what came in, but how long it took."""
    return _path(r"inbound\|[0-9]+\|[^|]*\|", tcp=tcp, latency=False)


def away_path(*, latency: bool = True) -> str:
    """Path and query of what a pod's own proxy knows of all that the pod asked of others."""
    return _path(r"outbound\|[0-9]+\|[^|]*\|[^;]+", tcp=False, latency=latency)


def read(
    text: str, *, tcp: bool = False, away: bool = False
) -> tuple[Mapping[str, Mapping[int, Figures]], float | None]:
    """The figures of a page by host and revision, and the uptime; with `away` those of all hosts together.

    Clusters that speak no HTTP are left out unless `tcp` is asked for: they share some names with HTTP's, and mean
    something else by them.
    """
    uptime: float | None = None
    clusters: dict[str, tuple[_Slot, Figures]] = {}
    slot_of = _slot_of_any if away else _slot
    for line in text.splitlines():
        series, _, value = line.rpartition(" ")
        slot = slot_of(series)
        if slot is None:
            continue
        if slot is _UP:
            uptime = float(value)
            continue
        known = clusters.get(slot.cluster)
        if known is None:
            known = clusters[slot.cluster] = slot, Figures()
        if slot.part:
            part = getattr(known[1], slot.part)
            part[slot.key] = part.get(slot.key, 0) + int(float(value))
    hosts: dict[str, dict[int, Figures]] = {}
    for slot, of in clusters.values():
        if tcp or of.codes or any(_HTTP.fullmatch(name) for name in of.counts):
            by_revision = hosts.setdefault(slot.host, {})
            known_of = by_revision.get(slot.revision)
            by_revision[slot.revision] = of if known_of is None else known_of.plus(of)
    return hosts, uptime


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where the value of a series goes: a key in a part of the figures of a cluster. No part: it isn't counted."""

    cluster: str = ""
    host: str = ""
    revision: int = OWN
    part: str = ""
    key: str | int | float = ""


_UP = _Slot()


@lru_cache(maxsize=65_536)
def _slot(series: str) -> _Slot | None:
    """None where it isn't one of a cluster of ours. Each second the same ones come again."""
    return _read_series(series, _CLUSTER, lambda of: (of["host"] or HERE, int(of["revision"] or OWN)))


@lru_cache(maxsize=65_536)
def _slot_of_any(series: str) -> _Slot | None:
    """The same of a cluster of whomever, which is a part of one figure."""
    return _read_series(series, _ANY_CLUSTER, lambda _: (AWAY, OWN))


def _read_series(
    series: str, clusters: re.Pattern[str], place: Callable[[re.Match[str]], tuple[str, int]]
) -> _Slot | None:
    """`place` gives host and revision of a cluster."""
    found = _SERIES.fullmatch(series)
    if found is None:
        return None
    if not found["stat"]:
        return _UP
    cluster = clusters.search(found["labels"])
    if cluster is None:
        return None
    part, key = _counted(found["stat"], found["labels"])
    return _Slot(cluster["name"], *place(cluster), part, key)


def _counted(stat: str, labels: str) -> tuple[str, str | int | float]:
    """Of the two kinds of series in `upstream_rq`, by code and by class of codes, the first alone is summed."""
    if bound := _BOUND.search(labels):
        return ("within" if stat == "upstream_rq_time_bucket" else ""), float(bound[1])
    if stat in ("upstream_rq", "retry_upstream_rq"):
        code = _CODE.search(labels)
        part = "codes" if stat == "upstream_rq" else "retried"
        return (part, int(code[1])) if code else ("", "")
    if stat.startswith("grpc_"):
        status = stat.removeprefix("grpc_")
        return ("grpc", int(status)) if status.isdigit() else ("", "")
    return ("" if stat.endswith("_sum") else "counts"), stat


@lru_cache(maxsize=256)
def _path(cluster: str, *, tcp: bool, latency: bool) -> str:
    names = "|".join(_TCP_NAMES if tcp else (*_NAMES, _LATENCY) if latency else _NAMES)
    pattern = rf"^cluster\.{cluster};?\.({names})$|{_UPTIME}"
    return f"/stats/prometheus?usedonly&filter={quote(pattern, safe='')}"


def _difference(now: Counter[Key], then: Counter[Key]) -> Counter[Key]:
    return Counts({key: count - then[key] for key, count in now.items()})
