"""What an attempt is judged by: looks go in, a verdict with its numbers comes out at any moment.

Each objective is a share of bad requests and has a sequential test of its own (`seatrial.stats`) for each of two
promises: an equal revision is rolled back, and a worse one promoted, no oftener than `confidence` leaves room for. That
room is split over the objectives. Silence is never a pass: without requests nothing is allowed, and that is said.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from seatrial import stats
from seatrial.api.revision import Evidence, Share, SloEvidence
from seatrial.api.rollouts import Analysis
from seatrial.rollout import sentences
from seatrial.rollout.evidence import Counters, Look, Tally
from seatrial.rollout.objectives import Objective, objectives
from seatrial.rollout.sentences import Figures
from seatrial.rollout.world import Finding, Verdict, stamp

SILENCE = 10.0  # seconds without a request of the canary after which that is what is said
_NOTHING = Share()


@dataclass(frozen=True)
class Case:
    """What is judged and by which rules. `policy` names the rules: under others, counting begins anew.

    `http` tells whether the service has requests that are counted.
    """

    attempt: int
    canary: int
    stable: int
    analysis: Analysis
    policy: str
    http: bool = True


@dataclass(frozen=True)
class Seen:
    """Of one objective: the test, and the sums that are told."""

    state: stats.State
    canary: Share = _NOTHING
    stable: Share = _NOTHING


@dataclass(frozen=True)
class Ledger:
    """All that is known of a case: a value that the next look makes another one of.

    `weight` is the canary's at the last look and `requests` what it answered since it had that weight; `quiet` are the
    seconds since its last request; `callers` has its failed requests by the service that called.
    """

    case: Case
    since: str
    seen: Mapping[str, Seen]
    placebo: stats.Placebo
    restarts: int = 0
    weight: int = 0
    requests: int = 0
    quiet: float = 0.0
    callers: Mapping[str, Share] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    suspect: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    counters: Counters = field(default_factory=dict)


def open_ledger(case: Case, now: datetime, *, restarts: int = 0) -> Ledger:
    """Nothing was seen yet. `restarts` counts the ledgers of this attempt that were closed before it."""
    seen = {o.name: Seen(stats.begin(o.plan)) for o in objectives(case.analysis, http=case.http)}
    placebo = stats.Placebo.of(case.analysis.tolerate_percent_points / 100)
    return Ledger(case, stamp(now), seen, placebo, restarts=restarts)


def enter(ledger: Ledger, look: Look, weight: int) -> Ledger:
    """The ledger after a look, while the canary has that weight."""
    case = ledger.case
    seen = {
        o.name: _count(o, ledger.seen[o.name], look, case) for o in objectives(case.analysis, http=case.http)
    }  # each request is in one look only
    arrived = _arrived(look, case)
    moved = weight != ledger.weight
    return replace(
        ledger,
        seen=seen,
        placebo=ledger.placebo.observe(
            {pod: (tally.requests, tally.failed) for pod, tally in look.stable_pods.items()}, _length(look)
        ),
        weight=weight,
        requests=arrived + (0 if moved else ledger.requests),
        quiet=0.0 if arrived or moved else ledger.quiet + look.seconds,
        callers=_by_caller(ledger, look),
        silent=look.silent,
        suspect=tuple(sorted({*ledger.suspect, *look.suspect})),
        problems=look.problems,
        counters=look.counters,
    )


def judge(ledger: Ledger, now: datetime) -> Verdict:
    """What the evidence says by now."""
    analysis = ledger.case.analysis
    room = 1 - analysis.confidence / 100
    tested = objectives(analysis, http=ledger.case.http)
    alphas = {o.name: stats.share(room, o.part, ledger.restarts) for o in tested}
    noisy = ledger.placebo.alarmed
    harmful = next((o for o in tested if _is_worse(ledger.seen[o.name], o, alphas[o.name], noisy=noisy)), None)
    passing = stats.share(room, 1.0, ledger.restarts)  # all must pass, so each may use all of the room
    weights = {o.name: float(stats.largest_weight(o.plan, ledger.seen[o.name].state, passing)) for o in tested}
    decisive = harmful or min(tested, key=lambda o: weights[o.name])
    hindered = _hindrance(ledger, noisy=noisy)
    finding, hindrance = hindered or ("Wait", "")
    allowed = 0 if hindered else int(min(weights.values()))
    if harmful:
        finding = "Worse"
    elif allowed > ledger.weight or allowed == 100:
        finding = "Better"
    slos = {o.name: _figures(ledger, o, alphas[o.name], passing) for o in tested}
    figures = Figures(slos[decisive.name], decisive.bad, decisive.limit, analysis.confidence)
    if harmful:
        beyond = None if noisy else _beyond(ledger, harmful, figures.seen, alphas[harmful.name])
        reason = sentences.worse(figures, beyond=beyond) + _one_witness(ledger)
    else:
        reason = _wait(figures, hindrance, _passed_over(ledger, tested))
    evidence = Evidence(
        since=ledger.since,
        at=stamp(now),
        verdict=finding,
        reason=reason,
        confidence=analysis.confidence,
        slos=list(slos.values()),
        silent=list(ledger.silent),
        problems=list(ledger.problems),
        restarts=ledger.restarts,
    )
    return Verdict(finding, reason, allowed, ledger.requests, evidence)


def _arrived(look: Look, case: Case) -> int:
    """Requests of the canary, or whatever queries count instead."""
    queried = [counts.get(case.canary, (0, 0))[0] for counts in look.queries.values()]
    return max([look.of(case.canary).requests, *queried])


def _count(objective: Objective, seen: Seen, look: Look, case: Case) -> Seen:
    canary, stable = objective.count(look, case.canary), objective.count(look, case.stable)
    block = stats.Block(canary.total, canary.bad, stable.total, stable.bad, _length(look))
    state = stats.observe(objective.plan, seen.state, block)
    return Seen(state, _sum(seen.canary, canary), _sum(seen.stable, stable))


def _length(look: Look) -> float:
    """Seconds, never none: the first look after a start has no look before it."""
    return max(look.seconds, 0.1)


def _is_worse(seen: Seen, objective: Objective, alpha: float, *, noisy: bool) -> bool:
    """Under noise the limit alone counts."""
    if noisy:
        return objective.limit is not None and bool(stats.above_limit(seen.state, alpha))
    return bool(stats.worse(seen.state, alpha))


def _hindrance(ledger: Ledger, *, noisy: bool) -> tuple[Finding, str] | None:
    """Why nothing may be allowed, whatever the numbers are."""
    requests = max(seen.canary.total for seen in ledger.seen.values())
    least = ledger.case.analysis.min_requests
    hindrances: list[tuple[bool, Finding, str]] = [
        (bool(ledger.suspect), "Suspect", f"counters of {_names(ledger.suspect)} fell though the proxy is the same"),
        (noisy, "Noisy", "pods of the stable revision differ among themselves as much as a bad revision would"),
        (bool(ledger.problems), "NoData", "; ".join(ledger.problems[:2])),
        (bool(ledger.silent), "Wait", f"{_names(ledger.silent)} can't be asked"),
        (not requests, "NoData", "no request reached the canary yet"),
        # before the public's requests there are only those that somebody sends: a test run of a minute, and then none
        (
            ledger.quiet >= SILENCE and ledger.weight > 0,
            "NoData",
            f"no request reached the canary for {ledger.quiet:.0f} s",
        ),
        (requests < least, "Wait", f"{least - requests} more requests of {least} needed"),
    ]
    return next(((finding, why) for holds, finding, why in hindrances if holds), None)


def _beyond(ledger: Ledger, objective: Objective, told: SloEvidence, alpha: float) -> float | None:
    """Points by which the comparison proves it to be worse; None where it proves nothing, so that the limit did."""
    if not stats.beyond_margin(objective.plan, ledger.seen[objective.name].state, alpha):
        return None
    return max(told.lower, ledger.case.analysis.tolerate_percent_points)


def _passed_over(ledger: Ledger, tested: tuple[Objective, ...]) -> str:
    """What isn't asked of the canary because stable doesn't keep it."""
    for objective in tested:
        if objective.limit is not None and stats.passes_limit_over(objective.plan, ledger.seen[objective.name].state):
            limit = sentences.number(objective.limit)
            return f"stable itself is above the limit of {limit} %, which is passed over"
    return ""


def _wait(figures: Figures, hindrance: str, passed_over: str) -> str:
    """What is known, what hinders, and what isn't asked."""
    known = "" if hindrance and not figures.seen.canary.total else sentences.bounded(figures)
    return "; ".join(part for part in (known, hindrance, passed_over) if part)


def _one_witness(ledger: Ledger) -> str:
    """One caller that alone decides is named: a caller can lie about its own calls."""
    failing = [name for name, share in ledger.callers.items() if share.bad]
    calling = [name for name, share in ledger.callers.items() if share.total]
    return f", all seen by {failing[0]}" if len(failing) == 1 and len(calling) > 1 else ""


def _figures(ledger: Ledger, objective: Objective, alpha: float, passing: float) -> SloEvidence:
    seen = ledger.seen[objective.name]
    return SloEvidence(
        name=objective.name,
        canary=seen.canary,
        stable=seen.stable,
        lower=round(100 * float(stats.lower(objective.plan, seen.state, alpha)), 3),
        upper=round(100 * float(stats.upper(objective.plan, seen.state, passing)), 3),
    )


def _by_caller(ledger: Ledger, look: Look) -> dict[str, Share]:
    found = dict(ledger.callers)
    for caller, tallies in look.by_caller.items():
        tally = tallies.get(ledger.case.canary, Tally())
        found[caller] = _sum(found.get(caller, _NOTHING), Share(total=tally.requests, bad=tally.failed))
    return found


def _sum(one: Share, other: Share) -> Share:
    return Share(total=one.total + other.total, bad=one.bad + other.bad)


def _names(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"
