"""A verdict in one sentence, with its numbers: what was seen of both revisions, and how sure that is."""

from dataclasses import dataclass

from seatrial.api.revision import Share, SloEvidence


@dataclass(frozen=True)
class Figures:
    """What is told of one objective. `bad` says in words what a bad request is, `limit` is in percent."""

    seen: SloEvidence
    bad: str
    limit: float | None
    confidence: float


def worse(figures: Figures, *, beyond: float | None) -> str:
    """Why it must go. `beyond` are the points by which it is proved to be worse; None where the limit alone tells."""
    if beyond is not None:
        why = f"worse by at least {so_many_points(beyond)} at {_sure(figures)}"
    else:
        why = f"more than the {number(figures.limit or 0.0)} % allowed at {_sure(figures)}"
    return f"{counts(figures)}, {why}"


def bounded(figures: Figures) -> str:
    """How bad it can be at most."""
    upper = figures.seen.upper
    if upper >= 100:
        return f"{counts(figures)}: too few to bound the difference"
    if upper <= 0:
        return f"{counts(figures)}, better than stable at {_sure(figures)}"
    return f"{counts(figures)}, worse by at most {so_many_points(upper)} at {_sure(figures)}"


def counts(figures: Figures) -> str:
    """So many of so many, on both sides."""
    canary, stable = figures.seen.canary, figures.seen.stable
    said = f"canary {_of(canary)} {figures.bad}{_percent(canary)}"
    return f"{said}, stable {_of(stable, short=True)}{_percent(stable)}" if stable.total else f"{said}, stable had none"


def _of(share: Share, *, short: bool = False) -> str:
    return f"{share.bad:,} of {share.total:,}" + ("" if short else " requests")


def _percent(share: Share) -> str:
    return f" ({number(100 * share.bad / share.total)} %)" if share.bad and share.total else ""


def so_many_points(points: float) -> str:
    """A difference or a margin: 1 point, 2.5 points."""
    return "1 point" if number(points) == "1" else f"{number(points)} points"


def _sure(figures: Figures) -> str:
    return f"{number(figures.confidence)} %"


def number(value: float) -> str:
    """Two digits that matter: 7.2, 0.03, 12."""
    return f"{value:.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.2g}"
