"""What an attempt is judged by, as a table: for each objective what was counted of both revisions, and the bounds."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from seatrial.api.revision import Attempt, Evidence, Phase, SloEvidence
from seatrial.cli import phrases
from seatrial.rollout.sentences import number

_COLORS = {
    "Better": "green",
    "Worse": "red",
    "Wait": "cyan",
    "Noisy": "yellow",
    "NoData": "yellow",
    "Suspect": "yellow",
}
UNKNOWN = "not known yet"


def evidence(attempt: Attempt) -> Iterator[RenderableType]:
    """The table, the verdict in a sentence, and whose counters are missing. Nothing where nothing was looked at."""
    known = attempt.evidence
    if known is None:
        return
    yield phrases.titled([("evidence", _span(known))])
    yield _table(known)
    verdict = Text(known.verdict, style=_COLORS.get(known.verdict, "yellow"))
    verdict.append(f": {known.reason}", style="default")
    rows: list[tuple[str, str | Text]] = [("verdict", verdict)] if attempt.phase is not Phase.SUCCEEDED else []
    if known.silent:
        silent = f"{', '.join(known.silent)} could not be asked at the last look"
        rows.append(("silent", Text(silent, style="yellow")))
    if known.restarts:
        times = "once" if known.restarts == 1 else f"{known.restarts} times"
        rows.append(("restarts", f"counting began anew {times}: the policy changed, or its state was lost"))
    if rows:
        yield phrases.titled(rows)


def _span(known: Evidence) -> str:
    begun = f"since {phrases.clock(known.since)}" if known.since else "nothing counted yet"
    until = f", as of {phrases.clock(known.at)} UTC" if known.at else " UTC"
    return f"{begun}{until}, bounds at {number(known.confidence)} %"


def _table(known: Evidence) -> RenderableType:
    table = phrases.table()
    for name in ("SLO", "CANARY BAD", "", "STABLE BAD", "", "DIFFERENCE IN POINTS"):
        table.add_column(name, justify="left" if name in {"SLO", "DIFFERENCE IN POINTS"} else "right", no_wrap=True)
    for slo in known.slos:
        canary, stable = slo.canary, slo.stable
        table.add_row(
            Text(slo.name),
            phrases.counted(canary),
            phrases.percent(canary),
            phrases.counted(stable),
            phrases.percent(stable),
            Text(difference(slo)),
        )
    return table


def difference(slo: SloEvidence) -> str:
    """Canary minus stable, as far as it is bounded."""
    low, high = slo.lower > -100, slo.upper < 100
    if low and high:
        return f"{phrases.points(slo.lower)} to {phrases.points(slo.upper)}"
    if low:
        return f"at least {phrases.points(slo.lower)}"
    return f"at most {phrases.points(slo.upper)}" if high else UNKNOWN
