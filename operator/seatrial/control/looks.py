"""How looks at the evidence go: whether they come in time, what they take, who is silent. Seen around any source."""

import time
from collections.abc import Callable

from prometheus_client import Counter, Gauge, Histogram

from seatrial.control.judging import Source
from seatrial.evidence.question import Question
from seatrial.rollout.evidence import Counters, Look

LATE = 1.2  # seconds from look to look: one a second, within 20 %

DURATION = Histogram(
    "seatrial_look_duration_seconds",
    "Time that one look took",
    ["source"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1, 2, 5),
)
INTERVAL = Histogram(
    "seatrial_look_interval_seconds",
    "Time from look to look at one service",
    ["source"],
    buckets=(0.9, 1, 1.1, LATE, 1.5, 2, 3, 5, 10, 30),
)
TOO_LATE = Counter("seatrial_looks_late", "Looks that came more than 1.2 s after the one before", ["source"])
SILENT = Gauge(
    "seatrial_silent_callers",
    "Callers of a service on trial that the last look got no answer of",
    ["mesh_namespace", "mesh_service"],
)
PROBLEMS = Gauge(
    "seatrial_evidence_problems",
    "Questions about a service on trial that can't be answered, such as a query that is refused",
    ["mesh_namespace", "mesh_service"],
)


class Measured:
    """A source like the one that it stands in front of."""

    def __init__(self, name: str, source: Source, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._source = source
        self._clock = clock
        self._looked: dict[str, float] = {}
        self._shown: set[str] = set()
        TOO_LATE.labels(name)  # a counter that is born with its first event hides it from increase()

    async def look(self, question: Question, now: float) -> Look:
        """What was counted since the look before."""
        began = self._clock()
        before = self._looked.get(question.host)
        self._looked[question.host] = began
        if before is not None:
            INTERVAL.labels(self._name).observe(began - before)
            if began - before > LATE:
                TOO_LATE.labels(self._name).inc()
        try:
            look = await self._source.look(question, now)
        finally:
            DURATION.labels(self._name).observe(self._clock() - began)
        self._shown.add(question.host)
        SILENT.labels(*_place(question.host)).set(len(look.silent))
        PROBLEMS.labels(*_place(question.host)).set(len(look.problems))
        return look

    def resume(self, host: str, counters: Counters) -> None:
        """Go on from where another process stood."""
        self._source.resume(host, counters)

    def forget(self, host: str) -> None:
        """Drop what is remembered of a host, its series too."""
        self._source.forget(host)
        self._looked.pop(host, None)
        if host in self._shown:
            self._shown.remove(host)
            SILENT.remove(*_place(host))
            PROBLEMS.remove(*_place(host))


def _place(host: str) -> tuple[str, str]:
    """Namespace and service of a host."""
    service, namespace = host.split(".")[:2]
    return namespace, service
