"""What is kept and shown of a run. Pure: values in, values and rich tables out."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from loadtests.record import Recording, Request
from loadtests.verdict import Judgement, Verdict, health

_STYLES = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.INCONCLUSIVE: "yellow", Verdict.ABORTED: "yellow"}
_SHOWN = 8  # kinds of failures


def services(recording: Recording) -> tuple[str, ...]:
    """Names of the services that took part, outermost first."""
    return tuple(dict.fromkeys(hop.service for r in recording.requests for hop in r.served_by))


def summary(recording: Recording, judgement: Judgement) -> dict[str, object]:
    """The run in figures, for a JSON file: seconds, percent, counts."""
    own = health(recording)
    return {
        "verdict": judgement.verdict,
        "reasons": list(judgement.reasons),
        "requests": recording.total,
        "failed": len(recording.failed),
        "lost": len(recording.lost),
        "seconds": recording.seconds,
        "failures": dict(recording.failures.most_common()),
        "latency": {name: _latencies(part) for name, part in _by_name(recording)},
        "splits": {name: recording.split(name).counts for name in services(recording)},
        "generator": {"lag_p99": own.lag_p99, "lag_max": own.lag_max, "cpu": own.cpu},
    }


def shown(recording: Recording, judgement: Judgement) -> RenderableType:
    """The run for people."""
    parts: list[RenderableType] = [_table(recording)] if recording.total else []
    if splits := [_split(recording, name) for name in services(recording)]:
        parts.append(Text("answered by " + " · ".join(splits), style="dim"))
    if failures := recording.failures.most_common(_SHOWN):
        parts.append(
            Text.from_markup("\n".join(f"[red]{count:>6} times[/] {escape(what)}" for what, count in failures))
        )
    own = health(recording)
    parts.append(
        Text(
            f"generator: {1000 * own.lag_p99:.1f} ms late (99th percentile), {own.cpu:.0%} of a CPU at most",
            style="dim",
        )
    )
    parts.append(Text(judgement.verdict, style=f"bold {_STYLES[judgement.verdict]}"))
    parts += [Text(f"  {reason}") for reason in judgement.reasons]
    return Group(*parts)


def progress(recording: Recording) -> str:
    """The run so far in one line."""
    last = recording.between(recording.requests[-1].ended - 5, float("inf")) if recording.total else recording
    if not last.total:
        return "no answer yet"
    return (
        f"{recording.total} requests, {last.total / max(last.seconds, 1):.0f}/s, {len(recording.failed)} failed, "
        f"p50 {1000 * last.percentile(50):.0f} ms, p99 {1000 * last.percentile(99):.0f} ms"
    )


def _table(recording: Recording) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("request")
    for title in ("count", "per s", "failed", "p50 ms", "p95 ms", "p99 ms", "max ms"):
        table.add_column(title, justify="right")
    rows = [*_by_name(recording), ("all", recording.requests)]
    for name, requests in rows:
        latencies = _latencies(requests)
        table.add_row(
            escape(name),
            str(len(requests)),
            f"{len(requests) / recording.seconds:.1f}" if recording.seconds else "",
            str(sum(r.failed for r in requests)),
            *(f"{1000 * latencies[rank]:.1f}" for rank in ("p50", "p95", "p99", "max")),
        )
    return table


def _by_name(recording: Recording) -> list[tuple[str, Sequence[Request]]]:
    names = sorted({r.name for r in recording.requests})
    return [(name, recording.named(name).requests) for name in names]


def _latencies(requests: Sequence[Request]) -> dict[str, float]:
    part = Recording(tuple(requests))
    return {f"p{rank:g}" if rank < 100 else "max": part.percentile(rank) for rank in (50, 95, 99, 100)}


def _split(recording: Recording, service: str) -> str:
    split = recording.split(service)
    revisions = ", ".join(f"r{number} {split.percent(number):.1f} %" for number in sorted(split.counts))
    return f"{service}: {revisions}"
