"""What is told afterwards: the log of all attempts of a service, and one attempt explained in sentences."""

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from seatrial.api.revision import Attempt, Evidence, Phase, Share, SloEvidence
from seatrial.api.rollouts import Analysis
from seatrial.cli import phrases
from seatrial.cli.ahead import ahead
from seatrial.cli.screen import story
from seatrial.cli.seen import Seen, Tried
from seatrial.rollout.sentences import number, so_many_points

_VERDICTS = {
    "Better": "The evidence is good enough for a higher weight, if not yet for that of the next step.",
    "Worse": "The evidence says that it is worse than may be, so it must go.",
    "Wait": "The evidence decides nothing yet: it waits for more.",
    "Noisy": "The stable pods differ among themselves as much as a bad revision would, so the comparison counts for"
    " nothing, and the limit alone still does.",
    "NoData": "Nothing is known, and that is never a pass: it waits for requests.",
    "Suspect": "Counters fell though their proxy is the same, so nothing is promoted on them.",
}
_CAUSES = {
    "Template": "because the template changed",
    "Retry": "because the verb retry asked for it",
    "Rollback": "because the verb rollback asked for it",
}
_ENDS = {
    Phase.SUCCEEDED: "It became stable",
    Phase.ROLLED_BACK: "It was rolled back",
    Phase.FAILED: "It failed before it had any traffic",
    Phase.ABORTED: "It was ended by hand",
    Phase.SUPERSEDED: "It gave way to a newer template",
}


def history(there: Seen) -> RenderableType:
    """All attempts, oldest first: a line with the figures, and below it the decision."""
    if not there.attempts:
        return Text(f"nothing of {there.name} was tried yet")
    parts: list[RenderableType] = []
    for tried in there.attempts:
        parts += [_head(tried), Padding(Text(_decision(tried.attempt)), (0, 0, 0, 5))]
    return Group(*parts)


def _head(tried: Tried) -> Text:
    attempt = tried.attempt
    head = Text(f"#{attempt.number:<3} {tried.revision.metadata.name}", style="bold")
    head.append(f"  {phrases.date(attempt.started_at)} UTC  ", style="not bold")
    head.append_text(phrases.phase(attempt.phase.value).copy())
    took = f"  in {phrases.between(attempt.started_at, attempt.ended_at)}" if attempt.ended_at else ""
    cause = "" if attempt.cause == "Template" else f"  ({attempt.cause.lower()})"
    head.append(f"{took}  {weights(attempt)} %{cause}", style="not bold")
    return head


def weights(attempt: Attempt) -> str:
    """The way that its weight went."""
    way: list[int] = []
    for entry in attempt.history:
        if not way or way[-1] != entry.weight:
            way.append(entry.weight)
    return " → ".join(map(str, way)) or "0"


def _decision(attempt: Attempt) -> str:
    if attempt.decision:
        return attempt.decision
    return attempt.history[-1].reason if attempt.history else "just begun"


def records(there: Seen) -> list[dict[str, Any]]:
    """The same for programs."""
    return [record(tried) for tried in there.attempts]


def record(tried: Tried) -> dict[str, Any]:
    """One attempt with the names of what it belongs to."""
    data = tried.attempt.dump()
    data.get("evidence", {}).pop("checkpoint", None)
    return {"revision": tried.number, "name": tried.revision.metadata.name} | data


def explain(there: Seen, tried: Tried) -> RenderableType:
    """One attempt in sentences: why it was made, what was seen, what was decided and by which rule."""
    attempt = tried.attempt
    head = Text(f"{tried.revision.metadata.name}, attempt {attempt.number}: ", style="bold")
    head.append_text(phrases.phase(attempt.phase.value))
    parts: list[RenderableType] = [head, ""]
    parts += [Text(" ".join(paragraph)) for paragraph in _paragraphs(there, tried) if paragraph]
    if attempt.evidence is not None:
        parts += ["", *(Text(line) for line in _figures(attempt.evidence))]
        if there.rollout.analysis is not None:
            parts += ["", Text(_rule(there.rollout.analysis))]
    return Group(*parts, "", Text("the log (UTC)", style="bold"), story(attempt))


def _paragraphs(there: Seen, tried: Tried) -> Iterator[list[str]]:
    attempt, number = tried.attempt, tried.number
    image = tried.revision.spec.template.image
    begun = phrases.date(attempt.started_at)
    yield [f"Revision {number} ({image}) was tried from {begun} UTC on, {_CAUSES[attempt.cause]}."]
    yield list(_traffic(attempt))
    end = _ENDS.get(attempt.phase)
    if end:
        took = f" after {phrases.between(attempt.started_at, attempt.ended_at)}" if attempt.ended_at else ""
        yield [f"{end}{took}: {attempt.decision}."]
        return
    yield [f"It is under way: {_decision(attempt)}."]
    if attempt.evidence is not None and attempt.evidence.verdict in _VERDICTS:
        yield [_VERDICTS[attempt.evidence.verdict]]
    if coming := ahead(there):
        yield [f"Next: {coming}."]


def _traffic(attempt: Attempt) -> Iterator[str]:
    first = next((e for e in attempt.history if e.weight > 0), None)
    if first is None:
        yield "It never had a share of the public traffic."
        return
    yield f"Its first share, {first.weight} %, came {phrases.between(attempt.started_at, first.at)} after it began."
    most = max(e.weight for e in attempt.history)
    if most > first.weight:
        yield f"It had {most} % at most."
    if back := next((e for e in attempt.history if e.at > first.at and e.weight == 0), None):
        yield f"{phrases.between(first.at, back.at)} after that all of it was taken away."


def _figures(known: Evidence) -> Iterator[str]:
    begun = f" from {phrases.clock(known.since)}" if known.since else ""
    until = f" to {phrases.clock(known.at)} UTC" if known.at else ""
    yield f"What was counted{begun}{until}:"
    for slo in known.slos:
        yield f"- {_figure(slo, known.confidence)}"
    if known.silent:
        yield f"- not in it, since they could not be asked: {', '.join(known.silent)}"


def _figure(slo: SloEvidence, confidence: float) -> str:
    if not slo.canary.total:
        return f"{slo.name}: the new revision answered nothing that counts here."
    sides = [f"{side} {_share(share)}" for side, share in (("new", slo.canary), ("stable", slo.stable)) if share.total]
    alone = "" if slo.stable.total else "; the stable revision had no traffic to compare with"
    return f"{slo.name}: {', '.join(sides)}{alone}. {_bounds(slo, number(confidence))}"


def _share(share: Share) -> str:
    return f"{phrases.counted(share)} bad ({phrases.percent(share)})"


def _bounds(slo: SloEvidence, confidence: str) -> str:
    low = f"worse by at least {so_many_points(slo.lower)}" if slo.lower > 0 else ""
    if slo.upper >= 100:
        high = "" if low else "Too few to bound the difference"
    elif slo.upper <= 0:
        high = "surely not worse"
    else:
        high = f"{'' if low else 'worse '}by at most {so_many_points(slo.upper)}"
    said = " and ".join(part for part in (low, high) if part)
    return f"{said[0].upper()}{said[1:]}{f', at {confidence} %' if low or slo.upper < 100 else ''}."


def _rule(analysis: Analysis) -> str:
    tolerated, sure = so_many_points(analysis.tolerate_percent_points), number(analysis.confidence)
    limits = [f"{number(analysis.max_error_percent)} % of requests fail (maxErrorPercent)"]
    if analysis.latency is not None:
        slow = number(analysis.latency.max_percent)
        limits.append(f"{slow} % take longer than {analysis.latency.slower_than} (latency)")
    return (
        f"The rule, as the policy is now: a revision goes back as soon as it is surely ({sure} %) worse than stable by "
        f"more than {tolerated} (toleratePercentPoints), or more than {' or '.join(limits)}. It gets a weight once, at "
        f"that weight, it surely costs all users together no more than {tolerated}."
    )
