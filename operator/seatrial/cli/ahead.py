"""What comes next in a rollout, and what it waits for: read from the same rules that the operator goes by.

Moments are told, never spans: the clock of this machine isn't the cluster's.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from seatrial.api.base import seconds
from seatrial.api.revision import Attempt, Phase
from seatrial.cli.seen import Seen, Tried
from seatrial.rollout import capacity, steps
from seatrial.rollout.sentences import number, so_many_points


def ahead(service: Seen) -> str:
    """One sentence; empty where nothing is going to happen."""
    tried = service.active
    if tried is not None:
        return _of_active(service, tried)
    newest = service.newest
    if newest is not None and newest.attempt.phase.refused:
        return (
            f"nothing until the template changes; `seatrial retry {service.name}` tries revision {newest.number} again"
        )
    return ""


def _of_active(service: Seen, tried: Tried) -> str:
    attempt, name = tried.attempt, service.name
    if attempt.phase is Phase.ROLLING_BACK:
        outcome = attempt.outcome or Phase.ROLLED_BACK
        return f"{outcome.value} once no proxy sends revision {tried.number} anything"
    if service.paused:
        return "nothing while spec.paused is true"
    if attempt.held:
        return f"nothing before `seatrial resume {name}`, or promote, or abort"
    following = _following(service, attempt)
    if attempt.phase is Phase.STARTING:
        weight = "all requests" if service.status.stable_revision is None else f"{following} %"
        return f"{weight} once its pods are ready{_migration(tried)}"
    if attempt.weight.wanted == 100:
        return f"revision {tried.number} is stable once the proxies carry 100 %"
    awaited = list(_awaited(service, tried, following))
    return f"{_weight(service, following)}{f', when {_and(awaited)}' if awaited else ' at the next look'}"


def _following(service: Seen, attempt: Attempt) -> int:
    if service.status.stable_revision is None:
        return 100
    return steps.following(service.rollout, attempt, attempt.weight.wanted, None)


def _weight(service: Seen, following: int) -> str:
    """The evidence may allow more than the least where no steps are given."""
    chosen = not service.rollout.steps and service.rollout.analysis is not None and following < 100
    return f"{following} % or more" if chosen else f"{following} %"


def _migration(tried: Tried) -> str:
    return ", after its migration" if tried.revision.spec.template.migrate is not None else ""


def _awaited(service: Seen, tried: Tried, following: int) -> Iterator[str]:
    """Everything that a step waits for."""
    attempt, spec = tried.attempt, service.spec
    if attempt.weight.verified != attempt.weight.wanted:
        yield f"the proxies carry {attempt.weight.wanted} %"
    if not steps.is_sure(attempt):
        yield from _hold(attempt, service.rollout.hold)
        if spec is not None and steps.is_judged(spec):
            yield from _evidence(service, attempt, following)
    if spec is None:
        return
    stable = service.revision(service.status.stable_revision)
    need = capacity.needed(capacity.full(spec, stable.status.replicas if stable else 0), following)
    if tried.revision.status.ready_replicas < need:
        yield f"{need} pods of it are ready (by now {tried.revision.status.ready_replicas})"


def _hold(attempt: Attempt, hold: str) -> Iterator[str]:
    """How long the step must last, as long as the last look isn't known to have been later."""
    if attempt.verified_since is None:
        yield f"it held for {hold} after that"
        return
    over = datetime.fromisoformat(attempt.verified_since) + timedelta(seconds=seconds(hold))
    looked = attempt.evidence.at if attempt.evidence else ""
    if not looked or datetime.fromisoformat(looked) < over:
        yield f"its hold ends at {over:%H:%M:%S}"


def _evidence(service: Seen, attempt: Attempt, following: int) -> Iterator[str]:
    """The bounds that the next weight asks for, against those that are known."""
    analysis, known = service.rollout.analysis, attempt.evidence
    if analysis is None:
        return
    most = 100 * analysis.tolerate_percent_points / following
    slos = known.slos if known else []
    lacking = [f"{s.name}: {_bound(s.upper)}" for s in slos if s.upper > most]
    requests = min((s.canary.total for s in slos if s.name == "errors"), default=0)
    if requests < analysis.min_requests:
        yield f"it answered {analysis.min_requests} requests (by now {requests})"
    if lacking or not slos:
        by_now = f" (by now {', '.join(lacking)})" if lacking else ""
        yield f"the upper bound of each difference is {so_many_points(most)} at most{by_now}"


def _bound(upper: float) -> str:
    return number(upper) if upper < 100 else "no bound"


def undecided(service: Seen) -> str:
    """What follows where the evidence doesn't decide in time."""
    tried, analysis = service.active, service.rollout.analysis
    if tried is None or analysis is None or service.paused or steps.is_sure(tried.attempt):
        return ""
    attempt = tried.attempt
    if attempt.phase is not Phase.SHIFTING or attempt.held or not attempt.verified_since:
        return ""
    over = datetime.fromisoformat(attempt.verified_since) + timedelta(seconds=seconds(analysis.step_timeout))
    few = f"{analysis.on_no_traffic} where it had fewer than {max(1, analysis.min_requests)} requests"
    return f"without a verdict by {over:%H:%M:%S}: {analysis.on_inconclusive}, or {few}"


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
