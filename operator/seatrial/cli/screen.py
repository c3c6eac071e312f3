"""What `status` shows: one line a service, or one service whole. It fits 80 columns, and bends below that."""

from collections.abc import Iterator, Sequence
from textwrap import shorten

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from seatrial.api.conditions import Condition
from seatrial.api.revision import Attempt, Phase, Revision, RevisionStatus
from seatrial.cli import phrases
from seatrial.cli.ahead import ahead, undecided
from seatrial.cli.figures import evidence
from seatrial.cli.seen import Seen

_GOOD = {"Accepted": "True", "ResolvedRefs": "True", "Ready": "True", "PolicyAdvice": "False"}
_HISTORY = 12  # lines
_GIST = 68  # characters: two lines on 80 columns


def overview(services: Sequence[Seen], *, namespaces: bool) -> RenderableType:
    """A table of services, and below it what each of them complains about."""
    table = phrases.table()
    if namespaces:
        table.add_column("NAMESPACE", no_wrap=True)
    for name in ("SERVICE", "READY", "PODS", "REVISION", "WEIGHT", "PHASE", "LOG"):
        table.add_column(name, justify="right" if name in {"PODS", "WEIGHT"} else "left", no_wrap=name == "SERVICE")
    for service in services:
        status = service.status
        row = [
            Text(service.metadata.name),
            _truth(_condition(service, "Ready")),
            Text(f"{status.ready_replicas}/{status.replicas}"),
            Text(_revisions(service)),
            Text(_weight(service)),
            phrases.phase(status.phase or "Unseen", paused=service.paused),
            Text(status.brief),
        ]
        table.add_row(*([Text(service.metadata.namespace), *row] if namespaces else row))
    notes = [line for service in services for line in _complaints(service, named=True)]
    return Group(table, *(["", *notes] if notes else []))


def whole(service: Seen, *, live: bool = False) -> RenderableType:
    """One service: where its rollout stands, what it complains about, its revisions, and how the newest came here.

    `live` leaves the revisions out, so that what changes fits a small terminal.
    """
    status = service.status
    head = Text.assemble((service.metadata.name, "bold"), f"  in {service.metadata.namespace}  ")
    head.append_text(phrases.phase(status.phase or "Unseen", paused=service.paused))
    if status.url:
        head.append(f"  {status.url}")
    parts: list[RenderableType] = [head, ""]
    if not status.phase:
        parts.append(Text("no operator has looked at it: is Seatrial installed, and running?", style="yellow"))
    if standing := list(_standing(service)):
        parts.append(phrases.titled(standing))
    parts += _complaints(service, named=False)
    newest = service.newest
    if newest is not None and (judged := list(evidence(newest.attempt))):
        parts += ["", *judged]
    if coming := [(title, said) for title, said in (("next", ahead(service)), ("or", undecided(service))) if said]:
        parts += ["", phrases.titled(coming)]
    if service.revisions and not live:
        parts += ["", _log(service.revisions)]
    if newest is not None:
        parts += ["", Text(f"how revision {newest.number} fared (UTC)", style="bold"), story(newest.attempt)]
    return Group(*parts)


def _standing(service: Seen) -> Iterator[tuple[str, str | Text]]:
    status = service.status
    if status.stable_revision is not None:
        yield "stable", _of(service, status.stable_revision)
    if status.canary_revision is None or status.weight is None:
        return
    yield "canary", _of(service, status.canary_revision)
    wanted, verified = status.weight.wanted, status.weight.verified
    carried = "as the proxies carry it" if wanted == verified else f"the proxies still carry {verified} %"
    yield "weight", f"{wanted} % of requests, {carried}{_beside(service)}"
    steps = Text()
    for step in _planned(service, wanted):
        style = "green" if step < wanted else "bold cyan" if step == wanted else "dim"
        steps.append(f"[{step}]" if step == wanted else str(step), style=style)
        steps.append("  ")
    yield "steps", steps


def _planned(service: Seen, wanted: int) -> Sequence[int]:
    """The weights in their order. Where the evidence chooses them, those that were and that of the end."""
    rollout, tried = service.rollout, service.active
    steps = rollout.steps if rollout.strategy in {"canary", "mirror"} else []
    if rollout.strategy == "canary" and not steps and rollout.analysis is not None and tried is not None:
        steps = [e.weight for e in tried.attempt.history if e.weight]
    unseen = {0} if rollout.strategy in _BESIDE else set()
    present = {wanted} if wanted else set()
    return sorted({*unseen, *steps, *present, 100})


_BESIDE = {"mirror": "copies of safe ones", "blueGreen": "marked ones", "abTest": "those that match"}


def _beside(service: Seen) -> str:
    """Which requests a strategy tries the revision on before the public's."""
    tried, requests = service.active, _BESIDE.get(service.rollout.strategy)
    unseen = tried is not None and tried.attempt.phase is Phase.SHIFTING and tried.attempt.weight.wanted == 0
    return f"; it gets {requests}" if unseen and requests else ""


def _of(service: Seen, number: int) -> str:
    found = service.revision(number)
    if found is None:
        return f"revision {number}"
    status = found.status
    return f"revision {number}, {status.ready_replicas} of {status.replicas} pods ready, {found.spec.template.image}"


def _complaints(service: Seen, *, named: bool) -> Iterator[RenderableType]:
    for condition in service.status.conditions:
        if condition.status == _GOOD.get(condition.type, condition.status) or not condition.message:
            continue
        advice = condition.type == "PolicyAdvice"
        said = Text(f"{service.metadata.name}: " if named else "", style="bold")
        said.append("advice: " if advice else f"{condition.reason}: ", style="yellow" if advice else "red")
        said.append(condition.message, style="not bold")
        yield said


def _log(revisions: Sequence[Revision]) -> RenderableType:
    table = phrases.table()
    for name in ("REVISION", "ROLE", "WEIGHT", "PODS", "PHASE", "LOG"):
        right = name in {"REVISION", "WEIGHT", "PODS"}
        table.add_column(name, justify="right" if right else "left", no_wrap=name != "LOG")
    for revision in reversed(revisions):
        status = revision.status
        table.add_row(
            str(revision.spec.number),
            status.role,
            f"{status.weight.verified} %" if status.weight else "",
            f"{status.ready_replicas}/{status.replicas}",
            phrases.phase(status.phase.value if status.phase else ""),
            Text(_gist(status)),
        )
    return table


def _gist(status: RevisionStatus) -> str:
    """The end of its log in a few words; `history` has it whole."""
    ended = status.phase is not None and not status.phase.active
    return (ended and status.brief) or shorten(status.message, _GIST, placeholder=" …")


def story(attempt: Attempt) -> RenderableType:
    """The newest lines of an attempt's log."""
    table = phrases.table()
    for name in ("AT", "WEIGHT", "PHASE", "WHY"):
        table.add_column(name, justify="right" if name == "WEIGHT" else "left", no_wrap=name != "WHY")
    for entry, reason in list(phrases.reasons(attempt))[-_HISTORY:]:
        table.add_row(phrases.clock(entry.at), f"{entry.weight} %", phrases.phase(entry.phase.value), Text(reason))
    left_out = len(attempt.history) - _HISTORY
    return Group(Padding(f"… {left_out} before", (0, 0)), table) if left_out > 0 else table


def _truth(condition: Condition | None) -> Text:
    if condition is None:
        return Text("-", style="dim")
    return Text("yes", style="green") if condition.status == "True" else Text("no", style="red")


def _condition(service: Seen, kind: str) -> Condition | None:
    return next((c for c in service.status.conditions if c.type == kind), None)


def _revisions(service: Seen) -> str:
    stable, canary = service.status.stable_revision, service.status.canary_revision
    return " → ".join(str(n) for n in (stable, canary) if n is not None) or "-"


def _weight(service: Seen) -> str:
    weight = service.status.weight
    if service.status.canary_revision is None or weight is None:
        return ""
    return f"{weight.wanted} %" if weight.wanted == weight.verified else f"{weight.verified} → {weight.wanted} %"
