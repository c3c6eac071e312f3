"""The objectives of an analysis: what counts as a bad request, how much of it is allowed, and how it is tested."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from seatrial.api.revision import Share
from seatrial.api.rollouts import Analysis
from seatrial.rollout.evidence import Look
from seatrial.stats import Plan

_PART_OF_ERRORS = 3.0  # of the room for mistakes; every other objective has one
_WEIGHTS = (10.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 75.0, 80.0, 90.0, 100.0)
"""Percent that bounds are sharp for. Another one needs the evidence of the next sharp one at most."""


@dataclass(frozen=True)
class Objective:
    """A share of bad requests. `bad` says in words what is bad, `limit` is in percent, None where none is allowed for.

    `part` is its part of the room for mistakes; those of all objectives sum to 1.
    """

    name: str
    bad: str
    count: Callable[[Look, int], Share]
    limit: float | None
    part: float
    plan: Plan


def objectives(analysis: Analysis, *, http: bool = True) -> tuple[Objective, ...]:
    """Errors, attempts behind retries, latency where it is asked for, and one's own queries.

    Without `http` nobody counts requests for a Prometheus, and its queries are all.
    """
    return _objectives(analysis.model_dump_json(), http=http)


@lru_cache(maxsize=256)
def _objectives(dumped: str, *, http: bool) -> tuple[Objective, ...]:
    analysis = Analysis.model_validate_json(dumped)
    asked = analysis.prometheus if analysis.source == "prometheus" else None
    named: list[tuple[str, str, Callable[[Look, int], Share], float | None, float]] = []
    if http or asked is None:
        named.append(("errors", "failed", _errors, analysis.max_error_percent, _PART_OF_ERRORS))
        named.append(("attempts", "failed at a try", _attempts, None, 1.0))
        if latency := analysis.latency:
            named.append(("latency", f"took longer than {latency.slower_than}", _slow, latency.max_percent, 1.0))
    queries = asked.queries if asked else []
    named += [(q.name, f"were bad by {q.name}", _query(q.name), q.max_percent, 1.0) for q in queries]
    whole = sum(part for *_, part in named)
    delta = analysis.tolerate_percent_points / 100
    return tuple(
        Objective(
            name, bad, count, limit, part / whole, Plan(delta, None if limit is None else limit / 100, weights=_WEIGHTS)
        )
        for name, bad, count, limit, part in named
    )


def _errors(look: Look, revision: int) -> Share:
    tally = look.of(revision)
    return _share(tally.requests, tally.failed)


def _attempts(look: Look, revision: int) -> Share:
    tally = look.of(revision)
    return _share(tally.attempts, tally.failed_attempts)


def _slow(look: Look, revision: int) -> Share:
    tally = look.of(revision)
    return _share(tally.timed, tally.slow)


def _query(name: str) -> Callable[[Look, int], Share]:
    def count(look: Look, revision: int) -> Share:
        return _share(*look.queries.get(name, {}).get(revision, (0, 0)))

    return count


def _share(total: int, bad: int) -> Share:
    """Counters of one scrape needn't be of one moment: a bad one is a request too."""
    return Share(total=max(total, bad), bad=bad)
