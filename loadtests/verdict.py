"""What a run proves: Pass, Fail, or nothing. Pure.

A generator that can't keep its own times measures itself. Its latencies are then worth nothing, so the verdict is
Inconclusive, never Pass; but a wrong or a 5xx answer stays what it is, however busy the one who asked was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from loadtests.bounds import percentile
from loadtests.record import Recording, Sample

_WINDOW = 5  # samples (seconds) over which CPU is averaged: a burst of one second saturates nothing


class Verdict(StrEnum):
    """Outcome of a run."""

    PASS = "Pass"  # noqa: S105 - not a password
    FAIL = "Fail"
    ABORTED = "Aborted"
    INCONCLUSIVE = "Inconclusive"

    @property
    def exit_code(self) -> int:
        """What the process ends with; 2 is taken by wrong usage."""
        return {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.INCONCLUSIVE: 3, Verdict.ABORTED: 4}[self]


@dataclass(frozen=True)
class Limits:
    """Up to where the generator is trusted: lateness in seconds (99th percentile), share of one CPU."""

    lag: float = 0.05
    cpu: float = 0.9


@dataclass(frozen=True)
class Thresholds:
    """What the target must keep: percent of requests lost or answered wrongly; latency in seconds by percentile."""

    failed_percent: float = 0.0
    latency: Mapping[float, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Health:
    """How the generator fared: its lateness in seconds and its largest share of one CPU over five seconds."""

    lag_p99: float
    lag_max: float
    cpu: float

    def complaints(self, limits: Limits) -> list[str]:
        """Why it can't be trusted; empty when it can."""
        found = []
        if self.lag_p99 > limits.lag:
            found.append(
                f"the generator ran late by {1000 * self.lag_p99:.0f} ms (99th percentile; "
                f"{1000 * limits.lag:.0f} ms are allowed)"
            )
        if self.cpu > limits.cpu:
            found.append(f"the generator used {self.cpu:.0%} of a CPU ({limits.cpu:.0%} is allowed)")
        return found


@dataclass(frozen=True)
class Judgement:
    """The verdict with its reasons, each a sentence with its numbers."""

    verdict: Verdict
    reasons: tuple[str, ...] = ()


def health(recording: Recording) -> Health:
    """Sum the generator's condition up, from its samples and from the requests that it sent late."""
    lags = [s.lag for s in recording.samples] + [r.lag for r in recording.requests]
    if not lags:
        return Health(0.0, 0.0, 0.0)
    return Health(percentile(lags, 99), max(lags), _busiest(recording.samples))


def judge(
    recording: Recording, thresholds: Thresholds | None = None, limits: Limits | None = None, *, aborted: bool = False
) -> Judgement:
    """Judge a finished run. Without requests, or without the generator's own samples, nothing is proven."""
    thresholds, limits = thresholds or Thresholds(), limits or Limits()
    if aborted:
        return Judgement(Verdict.ABORTED, ("the run was ended before its time",))
    if not recording.total:
        return Judgement(Verdict.INCONCLUSIVE, ("no request was made",))
    complaints = health(recording).complaints(limits)
    if not recording.samples:
        complaints.append("the generator left no figures about itself")
    if not recording.finished:
        complaints.append("the record has no end: a generator died or was killed")
    surely = [r for r in recording.failed if r.status]
    proven = 100 * len(surely) / recording.total > thresholds.failed_percent
    broken = _broken(recording, thresholds)
    if complaints and not proven:
        return Judgement(Verdict.INCONCLUSIVE, (*complaints, *broken))
    if broken:
        return Judgement(Verdict.FAIL, (*broken, *complaints))
    return Judgement(Verdict.PASS)


def _broken(recording: Recording, thresholds: Thresholds) -> list[str]:
    found = []
    percent = 100 * len(recording.failed) / recording.total
    if percent > thresholds.failed_percent:
        found.append(
            f"{len(recording.failed)} of {recording.total} requests failed ({percent:.3g} %; "
            f"{thresholds.failed_percent:g} % are allowed), {len(recording.lost)} of them lost"
        )
    for rank, allowed in sorted(thresholds.latency.items()):
        seen = recording.percentile(rank)
        if seen > allowed:
            found.append(f"p{rank:g} is {1000 * seen:.0f} ms ({1000 * allowed:.0f} ms are allowed)")
    return found


def _busiest(samples: Sequence[Sample]) -> float:
    workers = {sample.worker for sample in samples}
    return max((_busiest_of([s.cpu for s in samples if s.worker == one]) for one in workers), default=0.0)


def _busiest_of(shares: Sequence[float]) -> float:
    windows = [shares[i : i + _WINDOW] for i in range(max(1, len(shares) - _WINDOW + 1))]
    return max(sum(w) / len(w) for w in windows)
