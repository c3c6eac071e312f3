"""What a rollout cost its users, read from the record of a load: when it began, how long it lasted, whom it harmed."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from loadtests import ALPHA, Recording, Request, Split
from support.kubectl import Object
from support.services import attempt_of, unix


@dataclass(frozen=True)
class Exposure:
    """One revision, from the change on. Times in seconds; `first` and `lasted` are None where it got no request.

    `lasted` is from the first to the last request that it took, by the moment they were sent; a request without an
    answer counts as its own. `harmed` are all requests that were lost or answered wrongly, whoever is to blame.
    """

    first: float | None
    lasted: float | None
    answers: int
    harmed: int

    def __str__(self) -> str:
        if self.first is None or self.lasted is None:
            return f"no request, {self.harmed} users harmed"
        return f"first after {self.first:.1f} s, for {self.lasted:.1f} s, {self.answers} answers, {self.harmed} harmed"


def exposure(seen: Recording, service: str, revision: int, changed: float) -> Exposure:
    """What a revision did from the Unix time `changed` on."""
    later = [r for r in seen.requests if r.started >= changed]
    touched = [r for r in later if r.revision_of(service) == revision or (r.lost and not r.served_by)]
    sent = [r.started for r in touched]
    return Exposure(
        first=min(sent) - changed if sent else None,
        lasted=max(sent) - min(sent) if sent else None,
        answers=sum(r.revision_of(service) == revision for r in touched),
        harmed=sum(r.failed for r in later),
    )


def of(seen: Recording, service: str, revision: int) -> list[Request]:
    """The answers of one revision."""
    return [r for r in seen.requests if r.revision_of(service) == revision]


def carried(states: Sequence[Object], weight: int) -> tuple[float, float] | None:
    """Unix times between which all callers carried a weight and the next one wasn't asked for yet; None: never seen."""
    attempts = [attempt_of(state) for state in states if attempt_of(state)]
    since = [a["verifiedSince"] for a in attempts if a.get("verifiedSince") and a["weight"]["verified"] == weight]
    if not since:
        return None
    last = attempts[-1]
    later = [e["at"] for e in last["history"] if e["weight"] > weight]
    return unix(since[0]), unix(next(iter(later), last.get("endedAt") or last["history"][-1]["at"]))


def step_split(seen: Recording, service: str, states: Sequence[Object], weight: int) -> Split | None:
    """How requests were divided while all callers carried a weight; None where that was too short to be seen."""
    window = carried(states, weight)
    split = seen.between(*window).split(service) if window else None
    return split if split is not None and split.total else None


def split_of(seen: Recording, service: str, revision: int, states: Sequence[Object], weight: int) -> str:
    """The share of a step beside what chance allows at ALPHA: for a row of a table."""
    split = step_split(seen, service, states, weight)
    if split is None:
        return f"{weight} %: too short to be seen"
    allowed = split.bound(weight, ALPHA)
    count = split.counts.get(revision, 0)
    inside = "in" if count in allowed else "OUTSIDE"
    return f"{weight} %: {count} of {split.total} ({split.percent(revision):.1f} %), {inside} {allowed}"


def spread(values: Sequence[float], *, unit: str = " s") -> str:
    """Median, least and most, for a row of a table."""
    if not values:
        return "never"
    return f"{statistics.median(values):.1f}{unit} ({min(values):.1f} to {max(values):.1f})"
