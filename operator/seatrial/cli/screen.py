"""What `status` shows: one line a service, or one service whole. It fits 80 columns, and bends below that."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from seatrial.api.conditions import Condition
from seatrial.api.revision import Attempt, Phase, Revision
from seatrial.cli.cluster import Seen

_COLORS = {
    "Ready": "green",
    "Succeeded": "green",
    "Starting": "cyan",
    "Shifting": "cyan",
    "Promoting": "cyan",
    "Paused": "yellow",
    "Queued": "yellow",
    "RollingBack": "red",
    "RolledBack": "red",
    "Failed": "red",
    "Aborted": "red",
    "Degraded": "red",
    "NotAccepted": "red",
}
_GOOD = {"Accepted": "True", "ResolvedRefs": "True", "Ready": "True", "PolicyAdvice": "False"}
_HISTORY = 12


def overview(services: Sequence[Seen], *, namespaces: bool) -> RenderableType:
    """A table of services, and below it what each of them complains about."""
    table = _table()
    if namespaces:
        table.add_column("NAMESPACE", no_wrap=True)
    for name in ("SERVICE", "READY", "PODS", "REVISION", "WEIGHT", "PHASE"):
        table.add_column(name, justify="right" if name in {"PODS", "WEIGHT"} else "left", no_wrap=name == "SERVICE")
    for service in services:
        status = service.status
        row = [
            Text(service.metadata.name),
            _truth(_condition(service, "Ready")),
            Text(f"{status.ready_replicas}/{status.replicas}"),
            Text(_revisions(service)),
            Text(_weight(service)),
            _phase(status.phase or "Unseen", paused=service.paused),
        ]
        table.add_row(*([Text(service.metadata.namespace), *row] if namespaces else row))
    notes = [line for service in services for line in _complaints(service, named=True)]
    return Group(table, *(["", *notes] if notes else []))


def whole(service: Seen) -> RenderableType:
    """One service: where its rollout stands, what it complains about, its revisions, and how the newest came here."""
    status = service.status
    head = Text.assemble((service.metadata.name, "bold"), f"  in {service.metadata.namespace}  ")
    head.append_text(_phase(status.phase or "Unseen", paused=service.paused))
    if status.url:
        head.append(f"  {status.url}")
    parts: list[RenderableType] = [head, ""]
    if not status.phase:
        parts.append(Text("no operator has looked at it: is Seatrial installed, and running?", style="yellow"))
    parts += [*_standing(service), *_complaints(service, named=False)]
    if service.revisions:
        parts += ["", _log(service.revisions)]
    if newest := _newest(service):
        revision, attempt = newest
        parts += ["", Text(f"how revision {revision.spec.number} fared (UTC)", style="bold"), _history(attempt)]
    return Group(*parts)


def _standing(service: Seen) -> Iterator[RenderableType]:
    status = service.status
    if status.stable_revision is not None:
        yield Text(f"stable  {_of(service, status.stable_revision)}")
    if status.canary_revision is None or status.weight is None:
        return
    yield Text(f"canary  {_of(service, status.canary_revision)}")
    wanted, verified = status.weight.wanted, status.weight.verified
    carried = "as the proxies carry it" if wanted == verified else f"the proxies still carry {verified} %"
    yield Text(f"weight  {wanted} % of requests, {carried}")
    steps = Text("steps   ")
    for step in (*service.rollout.steps, 100):
        style = "green" if step < wanted else "bold cyan" if step == wanted else "dim"
        steps.append(f"[{step}]" if step == wanted else str(step), style=style)
        steps.append("  ")
    yield steps


def _of(service: Seen, number: int) -> str:
    found = next((r for r in service.revisions if r.spec.number == number), None)
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
    table = _table()
    for name in ("REVISION", "ROLE", "WEIGHT", "PODS", "PHASE", "LOG"):
        table.add_column(name, justify="right" if name in {"REVISION", "WEIGHT", "PODS"} else "left")
    for revision in reversed(revisions):
        status = revision.status
        table.add_row(
            str(revision.spec.number),
            status.role,
            f"{status.weight.verified} %" if status.weight else "",
            f"{status.ready_replicas}/{status.replicas}",
            _phase(status.phase.value if status.phase else "", paused=False),
            Text(status.message),
        )
    return table


def _history(attempt: Attempt) -> RenderableType:
    table = _table()
    for name in ("AT", "WEIGHT", "PHASE", "WHY"):
        table.add_column(name, justify="right" if name == "WEIGHT" else "left", no_wrap=name != "WHY")
    for entry in attempt.history[-_HISTORY:]:
        table.add_row(
            _clock(entry.at), f"{entry.weight} %", _phase(entry.phase.value, paused=False), Text(entry.reason)
        )
    left_out = len(attempt.history) - _HISTORY
    return Group(Padding(f"… {left_out} before", (0, 0)), table) if left_out > 0 else table


def _newest(service: Seen) -> tuple[Revision, Attempt] | None:
    attempts = [(r.status.attempt.number, r.spec.number, r) for r in service.revisions if r.status.attempt]
    if not attempts:
        return None
    revision = max(attempts, key=lambda a: a[:2])[2]
    attempt = revision.status.attempt
    return (revision, attempt) if attempt else None


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")


def _phase(phase: str, *, paused: bool) -> Text:
    shown = Text(phase, style=_COLORS.get(phase, ""))
    if paused and phase != Phase.PAUSED.value:
        shown.append(" (paused)", style="yellow")
    return shown


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


def _clock(stamped: str) -> str:
    return datetime.fromisoformat(stamped).strftime("%H:%M:%S")
