"""Rollouts by phase and weights by revision, as the last pass of each service had them."""

from collections import Counter

from seatrial.control.keys import ServiceKey
from seatrial.control.telemetry import ROLLOUTS, WEIGHT
from seatrial.rollout.world import Decision


class Gauges:
    """Keeps the metrics in step with decisions; a service that is gone leaves none behind."""

    def __init__(self) -> None:
        self._phases: dict[ServiceKey, str] = {}
        self._revisions: dict[ServiceKey, frozenset[int]] = {}

    def show(self, key: ServiceKey, decision: Decision) -> None:
        """Set what a decision says."""
        for number, status in decision.statuses.items():
            if status.weight is not None:
                labels = (key.namespace, key.name, str(number))
                WEIGHT.labels(*labels, "wanted").set(status.weight.wanted)
                WEIGHT.labels(*labels, "verified").set(status.weight.verified)
        self._drop(key, self._revisions.get(key, frozenset()) - set(decision.statuses))
        self._revisions[key] = frozenset(decision.statuses)
        canary = decision.statuses.get(decision.canary) if decision.canary is not None else None
        phase = canary.phase if canary is not None else None
        if phase is None:
            self._phases.pop(key, None)
        else:
            self._phases[key] = phase.value
        self._count()

    def forget(self, key: ServiceKey) -> None:
        """Drop a service's series."""
        self._drop(key, self._revisions.pop(key, frozenset()))
        self._phases.pop(key, None)
        self._count()

    def _drop(self, key: ServiceKey, revisions: frozenset[int]) -> None:
        for number in revisions:
            for kind in ("wanted", "verified"):
                WEIGHT.remove(key.namespace, key.name, str(number), kind)

    def _count(self) -> None:
        ROLLOUTS.clear()
        for phase, count in Counter(self._phases.values()).items():
            ROLLOUTS.labels(phase).set(count)
