"""What a rollout was, and whether it was as asked: the figures behind the demo's summary. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from loadtests import ALPHA, Bound, Recording
from seatrial.api.revision import Attempt, Phase


@dataclass(frozen=True)
class Stretch:
    """A time in which the proxies carried one weight and no other was asked for. Unix seconds."""

    weight: int
    since: float
    until: float


@dataclass(frozen=True)
class Share:
    """What a stretch asked for, and what the answers of that time say."""

    weight: int
    count: int
    total: int
    bound: Bound

    @property
    def percent(self) -> float:
        """The share seen; 0 without calls."""
        return 100 * self.count / self.total if self.total else 0.0

    @property
    def fits(self) -> bool:
        """Whether chance explains the difference. Without calls nothing is proven."""
        return self.total > 0 and self.count in self.bound


@dataclass(frozen=True)
class Check:
    """Something that must hold, and what was seen of it."""

    title: str
    seen: str
    holds: bool


@dataclass(frozen=True)
class Finding:
    """All that the demo found."""

    revision: str
    phase: Phase
    shares: tuple[Share, ...]
    load: Recording
    checks: tuple[Check, ...]

    @property
    def faults(self) -> tuple[str, ...]:
        """What isn't as it must be, in sentences."""
        found = []
        if self.phase is not Phase.SUCCEEDED:
            found.append(f"{self.revision} didn't succeed, it is {self.phase}")
        found += [
            f"at {s.weight} % the new revision got {s.count} of {s.total} calls, outside of {s.bound}"
            for s in self.shares
            if not s.fits
        ]
        found += [f"{count} times {what}" for what, count in self.load.failures.most_common(3)]
        found += [f"{check.title}: {check.seen}" for check in self.checks if not check.holds]
        return tuple(found)


def stretches(attempt: Attempt, verified: dict[int, str], *, began: float, ended: float) -> tuple[Stretch, ...]:
    """The stretches of a rollout that is over, with the ones before and after it.

    `verified` is when the proxies were seen to carry each weight (RFC 3339), which the next step overwrites in the
    status; `began` and `ended` are those of the load. Those who wrote these times and the load share a clock.
    """
    asked = {entry.weight: unix(entry.at) for entry in reversed(attempt.history) if entry.weight}
    weights = sorted(asked)
    first = asked[weights[0]] if weights else ended
    found = [Stretch(0, began, first)]
    for weight, following in pairwise(weights):
        if weight in verified:
            found.append(Stretch(weight, unix(verified[weight]), asked[following]))
    if attempt.phase is Phase.SUCCEEDED and attempt.ended_at is not None:
        found.append(Stretch(100, unix(attempt.ended_at), ended))
    return tuple(found)


def shares(load: Recording, service: str, revision: int, parts: Sequence[Stretch]) -> tuple[Share, ...]:
    """What each stretch got. ALPHA holds for all of them together."""

    def share(part: Stretch) -> Share:
        split = load.between(part.since, part.until).split(service)
        bound = split.bound(part.weight, ALPHA / len(parts))
        return Share(part.weight, split.counts.get(revision, 0), split.total, bound)

    return tuple(share(part) for part in parts)


def unix(stamp: str) -> float:
    """Unix time of an RFC 3339 one."""
    return datetime.fromisoformat(stamp).timestamp()
