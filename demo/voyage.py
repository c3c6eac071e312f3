"""What the rollouts were, and whether they went as they must: the figures behind the demo's summary. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import inf

from loadtests import ALPHA, Bound, Recording, Request
from seatrial.api.revision import Attempt, Phase, Revision


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
class Promotion:
    """The good revision: how it got its traffic, why each time, and what became of the requests meanwhile."""

    revision: str
    phase: Phase
    shares: tuple[Share, ...]
    reasons: tuple[tuple[str, str], ...]
    load: Recording

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
        return (*found, *_commonest(self.load.failed))


@dataclass(frozen=True)
class Rescue:
    """The bad revision: how soon it was taken back, and whom it harmed.

    `after` are the seconds from the first request that it got to the decision, None where there was neither. `answered`
    are the requests that it took part in, `harmed` those of them that failed, `lost` all others that did. `since` is
    what it got of the calls after its end.
    """

    revision: str
    phase: Phase
    decision: str
    after: float | None
    answered: int
    harmed: int
    lost: tuple[Request, ...]
    total: int
    since: Share

    @property
    def faults(self) -> tuple[str, ...]:
        """What isn't as it must be, in sentences."""
        found = []
        if self.phase is not Phase.ROLLED_BACK:
            found.append(f"{self.revision} was not taken back, it is {self.phase}")
        if self.after is None:
            found.append(f"{self.revision} got no request, so nothing was shown by taking it back")
        if not self.since.fits:
            found.append(f"after its end {self.revision} got {self.since.count} of {self.since.total} calls")
        return (*found, *_commonest(self.lost))


@dataclass(frozen=True)
class Finding:
    """All that the demo found. Without a good revision there is no bad one to be rescued from."""

    promotion: Promotion
    checks: tuple[Check, ...]
    rescue: Rescue | None

    @property
    def faults(self) -> tuple[str, ...]:
        """What isn't as it must be, in sentences."""
        checked = tuple(f"{check.title}: {check.seen}" for check in self.checks if not check.holds)
        return (*self.promotion.faults, *checked, *(self.rescue.faults if self.rescue else ()))


def part(load: Recording, since: float, until: float = inf) -> Recording:
    """The requests that were due from `since` on and before `until`, Unix times: each is in one part, also across."""
    return Recording(tuple(r for r in load.requests if since <= r.intended < until), load.samples, load.finished)


def reasons(attempt: Attempt) -> tuple[tuple[str, str], ...]:
    """What each weight was given for, by weight, as the operator's log tells it."""
    return tuple(
        (weight, why)
        for weight, colon, why in (entry.reason.partition(": ") for entry in attempt.history if entry.weight)
        if colon and weight.startswith("to ")
    )


def rescue(revision: Revision, attempt: Attempt, load: Recording) -> Rescue:
    """What came of a revision that should be taken back. The load is that of its time and after."""
    service, number = revision.spec.service, revision.spec.number

    def took_part(request: Request) -> bool:
        return any(hop.service == service and hop.revision == number for hop in request.served_by)

    served = tuple(r for r in load.requests if took_part(r))
    decided = next((unix(e.at) for e in attempt.history if e.phase is Phase.ROLLING_BACK), None)
    end = unix(attempt.ended_at) if attempt.ended_at is not None else inf
    return Rescue(
        revision=revision.metadata.name,
        phase=attempt.phase,
        decision=attempt.decision,
        after=decided - min(r.started for r in served) if served and decided is not None else None,
        answered=len(served),
        harmed=sum(r.failed for r in served),
        lost=tuple(r for r in load.failed if not took_part(r)),
        total=load.total,
        since=shares(load, service, number, (Stretch(0, end, inf),))[0],
    )


def _commonest(failed: Iterable[Request]) -> tuple[str, ...]:
    return tuple(f"{count} times {what}" for what, count in Recording(tuple(failed)).failures.most_common(3))


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
