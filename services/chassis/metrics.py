"""Prometheus metrics of a service: requests that it serves, calls that it makes, and its process.

Labels are bounded: routes are templates, and what matches no route counts as one.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Histogram, Info, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from chassis.lifecycle import Lifecycle
from chassis.settings import Settings

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
UNMATCHED: Final = "unmatched"

disable_created_metrics()  # type: ignore[no-untyped-call]  # a timestamp for each series doubles them and nobody asks for it
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The metrics of one process, in a registry of its own so that two can live in one test."""

    def __init__(self, settings: Settings, lifecycle: Lifecycle) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        Info("service", "The process that serves.", registry=self.registry).info(
            {"name": settings.service, "revision": settings.revision, "pod": settings.pod}
        )
        self._served = Histogram(
            "http_server_request_duration_seconds",
            "Time to answer requests.",
            ["method", "route", "status"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._series: dict[tuple[str, str, int], Histogram] = {}  # finding one costs more than observing
        self._called = Histogram(
            "http_client_request_duration_seconds",
            "Time of calls to other services; outcome is a status code, or why there was none.",
            ["upstream", "method", "outcome"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        in_flight = Gauge("http_server_requests_in_flight", "Requests under way.", registry=self.registry)
        in_flight.set_function(lambda: lifecycle.in_flight)

    def served(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        key = method, route, status
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._served.labels(method, route, str(status))
        series.observe(seconds)

    def called(self, *, upstream: str, method: str, outcome: str, seconds: float) -> None:
        """A call to another service ended."""
        self._called.labels(upstream, method, outcome).observe(seconds)

    def render(self) -> bytes:
        """All of it in the text format of Prometheus."""
        return generate_latest(self.registry)
