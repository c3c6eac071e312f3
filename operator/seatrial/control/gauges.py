"""What the metrics tell of rollouts: all of it follows from a decision, so a restart shows the same again.

Labels are those of things that are there: a service that is gone, a revision that is, an attempt that has ended leave
no series behind. Times are moments (Unix, seconds), so that how long something lasts doesn't depend on who was leader.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from prometheus_client import Counter as Counted
from prometheus_client import Gauge

from seatrial.api.revision import Attempt, Phase, RevisionStatus
from seatrial.control.keys import ServiceKey
from seatrial.rollout.world import Decision, moment

OUTCOMES = (Phase.SUCCEEDED, Phase.ROLLED_BACK, Phase.FAILED, Phase.ABORTED, Phase.SUPERSEDED)
_OF = ["mesh_namespace", "mesh_service"]  # a scraped pod has labels namespace and service of its own

ROLLOUTS = Gauge("seatrial_rollouts", "Active rollouts by phase of their attempt", ["phase"])
WEIGHT = Gauge(
    "seatrial_weight_percent",
    "Percent of requests that a revision is to get, and gets as far as the callers' proxies acknowledged it",
    [*_OF, "revision", "kind"],
)
PHASE = Gauge(
    "seatrial_rollout_phase_timestamp_seconds",
    "When the active attempt of a service came into its phase",
    [*_OF, "revision", "phase"],
)
CHANGE = Gauge(
    "seatrial_rollout_change_timestamp_seconds",
    "When the active attempt of a service changed its phase or weight last",
    [*_OF, "revision"],
)
VERDICT = Gauge(
    "seatrial_rollout_verdict",
    "1 for what the evidence says of the active attempt: Wait, Better, Worse, Noisy, NoData, Suspect",
    [*_OF, "revision", "verdict"],
)
DIFFERENCE = Gauge(
    "seatrial_rollout_difference_ratio",
    "Bounds of how much greater the share of bad requests is than the stable revision's, by objective",
    [*_OF, "revision", "slo", "bound"],
)
ENDED = Gauge(
    "seatrial_rollout_end_timestamp_seconds",
    "When the newest attempt of a service ended, and how",
    [*_OF, "revision", "outcome"],
)
ENDS = Counted("seatrial_rollout_ends", "Attempts that ended while this process was leader, by outcome", ["outcome"])
for _outcome in OUTCOMES:
    ENDS.labels(_outcome.value)  # a counter that is born with its first event hides it from increase()

_FAMILIES = (WEIGHT, PHASE, CHANGE, VERDICT, DIFFERENCE, ENDED)

Values = dict[tuple[str, ...], float]


class Gauges:
    """Keeps the metrics in step with decisions."""

    def __init__(self, began: datetime | None = None) -> None:
        self._began = began or datetime.now(UTC)
        self._shown: dict[tuple[ServiceKey, Gauge], Values] = {}
        self._phases: dict[ServiceKey, str] = {}
        self._ends: dict[ServiceKey, int] = {}  # number of the newest attempt whose end was counted
        self.clear()

    def show(self, key: ServiceKey, decision: Decision) -> None:
        """Set what a decision says."""
        self._put(WEIGHT, key, _weights(decision.statuses))
        active = decision.statuses.get(decision.canary) if decision.canary is not None else None
        attempt = active.attempt if active is not None else None
        for gauge, values in _of_attempt(str(decision.canary), attempt).items():
            self._put(gauge, key, values)
        self._put(ENDED, key, self._ended(key, decision.statuses))
        phase = None if attempt is None else attempt.phase.value
        if phase == self._phases.get(key):
            return
        if phase is None:
            del self._phases[key]
        else:
            self._phases[key] = phase
        self._count()

    def forget(self, key: ServiceKey) -> None:
        """Drop a service's series."""
        for gauge in _FAMILIES:
            self._put(gauge, key, {})
        self._phases.pop(key, None)
        self._ends.pop(key, None)
        self._count()

    def clear(self) -> None:
        """Drop all: a process that isn't leader has nothing to tell."""
        for gauge in (*_FAMILIES, ROLLOUTS):
            gauge.clear()
        self._shown.clear()
        self._phases.clear()

    def _put(self, gauge: Gauge, key: ServiceKey, values: Values) -> None:
        before = self._shown.get((key, gauge), {})
        if values == before:
            return
        self._shown.pop((key, gauge), None)
        for labels in before.keys() - values.keys():
            gauge.remove(key.namespace, key.name, *labels)
        for labels, value in values.items():
            gauge.labels(key.namespace, key.name, *labels).set(value)
        if values:
            self._shown[key, gauge] = values

    def _ended(self, key: ServiceKey, statuses: Mapping[int, RevisionStatus]) -> Values:
        """The newest attempt of all that has ended; counted once, unless it ended before this process began."""
        ended = [(s.attempt.number, n, s.attempt) for n, s in statuses.items() if s.attempt and s.attempt.ended_at]
        if not ended:
            return {}
        _, revision, attempt = max(ended, key=lambda e: e[0])
        at = moment(attempt.ended_at or attempt.started_at)
        if at >= self._began and self._ends.get(key, 0) < attempt.number:
            self._ends[key] = attempt.number
            ENDS.labels(attempt.phase.value).inc()
        return {(str(revision), attempt.phase.value): at.timestamp()}

    def _count(self) -> None:
        ROLLOUTS.clear()
        for phase, count in Counter(self._phases.values()).items():
            ROLLOUTS.labels(phase).set(count)


def _weights(statuses: Mapping[int, RevisionStatus]) -> Values:
    weights = {n: s.weight for n, s in statuses.items() if s.weight is not None}
    return {
        (str(n), kind): value
        for n, weight in weights.items()
        for kind, value in (("wanted", weight.wanted), ("verified", weight.verified))
    }


def _of_attempt(revision: str, attempt: Attempt | None) -> dict[Gauge, Values]:
    """What is told of an attempt under way; nothing where there is none."""
    values: dict[Gauge, Values] = {PHASE: {}, CHANGE: {}, VERDICT: {}, DIFFERENCE: {}}
    if attempt is None:
        return values
    came, changed = _moments(attempt)
    values[PHASE] = {(revision, attempt.phase.value): came}
    values[CHANGE] = {(revision,): changed}
    if attempt.evidence is not None and attempt.evidence.verdict:
        values[VERDICT] = {(revision, attempt.evidence.verdict): 1}
        values[DIFFERENCE] = {
            (revision, slo.name, bound): points / 100
            for slo in attempt.evidence.slos
            for bound, points in (("lower", slo.lower), ("upper", slo.upper))
        }
    return values


def _moments(attempt: Attempt) -> tuple[float, float]:
    """When it came into its phase, and when it changed last."""
    came = changed = attempt.history[-1].at if attempt.history else attempt.started_at
    for entry in reversed(attempt.history):
        if entry.phase is not attempt.phase:
            break
        came = entry.at
    return moment(came).timestamp(), moment(changed).timestamp()
