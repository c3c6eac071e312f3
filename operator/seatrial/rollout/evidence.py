"""What a look at the callers' proxies, or at Prometheus, brings: counts, by revision, since the look before.

Plain values. How they are fetched is the business of `seatrial.evidence`, what they mean that of `analysis`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Tally:
    """Counts of one revision at its callers, cumulative or of a span of time.

    `requests` ended, whatever the retries within them, and `failed` of these (5xx, connect failure, reset, timeout;
    gRPC status where the service speaks grpc). `attempts` are the tries, retried ones too, and `failed_attempts` of
    these. `timed` requests have a known side of the latency objective, `slow` of these were slower: ended by timeout
    or reset, or still under way after it, counts as slow. `started` requests were begun.
    """

    requests: int = 0
    failed: int = 0
    attempts: int = 0
    failed_attempts: int = 0
    timed: int = 0
    slow: int = 0
    started: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(a + b for a, b in zip(self.parts, other.parts, strict=True)))

    def __sub__(self, other: "Tally") -> "Tally":
        return Tally(*(a - b for a, b in zip(self.parts, other.parts, strict=True)))

    @property
    def parts(self) -> tuple[int, ...]:
        """The counts in the order of the fields."""
        return (
            self.requests,
            self.failed,
            self.attempts,
            self.failed_attempts,
            self.timed,
            self.slow,
            self.started,
        )


Counters = Mapping[str, Mapping[int, Tally]]
"""Cumulative counts by caller's proxy (`pod.namespace`) and revision, as a proxy last told them."""


@dataclass(frozen=True)
class Look:
    """What was counted between two looks.

    `at` is the moment on a monotonic clock and `seconds` the span since the look before. `by_caller` holds the same
    counts by the calling service (`namespace/name`, or `ingress`), `stable_pods` what the proxies in front of the
    stable pods counted, by pod: it is compared among themselves only. `queries` holds (total, bad) by query name and
    revision where Prometheus was asked. `silent` names callers that could not be asked, `suspect` those whose counters
    fell though the proxy is the same. `problems` says what can't be answered and why, a sentence each. `counters` is
    where the next look goes on from.
    """

    at: float
    seconds: float = 0.0
    tallies: Mapping[int, Tally] = field(default_factory=dict)
    by_caller: Mapping[str, Mapping[int, Tally]] = field(default_factory=dict)
    stable_pods: Mapping[str, Tally] = field(default_factory=dict)
    queries: Mapping[str, Mapping[int, tuple[int, int]]] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    suspect: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    counters: Counters = field(default_factory=dict)

    def of(self, revision: int) -> Tally:
        """What all callers counted of a revision."""
        return self.tallies.get(revision, Tally())
