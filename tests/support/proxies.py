"""What an Envoy counted: its statistics by way of the API server, which needs no port and no exec."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from support.kubectl import Kubectl

STATS = 15090

_SERIES = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Stats:
    """Counters and gauges of one proxy at one moment."""

    series: tuple[tuple[str, Mapping[str, str], float], ...] = field(default=())

    def total(self, name: str, *, cluster: str, **labels: str) -> float:
        """Sum of a statistic over the clusters whose name has `cluster` in it, like ``|r2|orders.shop.``; else 0."""
        return sum(
            value
            for series, about, value in self.series
            if series == name
            and cluster in about.get("cluster_name", "")
            and all(about.get(key) == wanted for key, wanted in labels.items())
        )


def stats(kubectl: Kubectl, pod: str) -> Stats:
    """Ask the proxy of a pod."""
    path = f"/api/v1/namespaces/{kubectl.namespace}/pods/{pod}:{STATS}/proxy/stats/prometheus?usedonly"
    return parse(kubectl.raw(path))


def parse(text: str) -> Stats:
    """Read the text format of Prometheus."""
    found = []
    for line in text.splitlines():
        series = _SERIES.match(line)
        if series:
            labels = dict(_LABEL.findall(series["labels"] or ""))
            found.append((series["name"], labels, float(series["value"])))
    return Stats(tuple(found))


def gateway_pod(kubectl: Kubectl) -> str:
    """Name of the ingress gateway's pod, which is alone."""
    found = kubectl.within("istio-system").list("pods", "istio=ingressgateway")
    running = [p for p in found if "deletionTimestamp" not in p["metadata"]]
    assert len(running) == 1, f"{len(running)} pods of the ingress gateway; the tests count on one"
    name: str = running[0]["metadata"]["name"]
    return name
