"""What Istio's metrics tell of one host: requests by caller and revision, and by pod of the stable revision."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from seatrial.evidence import prometheus_istio as istio
from seatrial.evidence.ask import Pod
from seatrial.evidence.prometheus_api import Asking
from seatrial.evidence.prometheus_growth import Growing, Grown, Growth, Target, address_of, target_of
from seatrial.evidence.promql import one_of
from seatrial.evidence.question import Question
from seatrial.rollout.evidence import Counters, Tally

LOOK_BACK = 120  # seconds before the look before, for scrapes that came late and targets whose scrapes failed
EDGE = 10  # seconds by which scrapes are asked for less far back than samples, so that theirs are surely there

Counts = dict[str, dict[int, Tally]]


@dataclass(frozen=True)
class Requests:
    """What a look brought. `fell` names callers whose counters did; `newer`: there was a scrape since the last look."""

    by_caller: Counts = field(default_factory=dict)
    by_pod: dict[str, Tally] = field(default_factory=dict)
    fell: tuple[str, ...] = ()
    newer: bool = False


class RequestCounts:
    """Remembers the counters of a host. `told` are those of an earlier process of ours, from its checkpoint."""

    def __init__(self, told: Counters) -> None:
        self._totals: Counts = {}
        self._told = told
        self._callers = Growing()
        self._pods = Growing()

    @property
    def counters(self) -> Counters:
        """Where another process can go on from."""
        return self._told or self._totals

    async def look(self, ask: Asking, question: Question, seconds: int) -> Requests:
        """What came since the look before, which was so many seconds ago."""
        back = seconds + LOOK_BACK
        selector = istio.callers_series(question.host, question.slower_than)
        grown = await self._grown(ask, self._callers, selector, back)
        if grown is None:
            return Requests()
        timed = await self._is_timed(ask, question, grown)
        own = "/".join(reversed(question.host.split(".")[:2]))
        others = set(question.callers) - {own}
        taken = [
            s
            for s in grown.series
            if istio.caller_of(s.labels) in others
            and istio.revision_of(s.labels) in question.revisions
            and (timed or not istio.is_timing(s.labels))
        ]
        by_caller = self._since_told(taken, question) if self._told else self._counted(taken, question)
        fell = {f"{istio.caller_of(s.labels)} ({s.target[1]})" for s in taken if s.target in grown.fell}
        return Requests(by_caller, await self._of_pods(ask, question, back), tuple(sorted(fell)), grown.newer)

    def _counted(self, taken: Iterable[Growth], question: Question) -> Counts:
        by_caller: Counts = {}
        self._totals |= _totals(taken, question)
        for series in taken:
            tally = istio.tally_of(series.labels, series.by, question.protocol)
            _add(by_caller, istio.caller_of(series.labels), series.labels, tally)
        return by_caller

    def _since_told(self, taken: Sequence[Growth], question: Question) -> Counts:
        """The first look of a process that goes on from a checkpoint. What fell while nobody looked isn't counted."""
        by_caller: Counts = {}
        totals = _totals(taken, question)
        callers = {_key(s.target): istio.caller_of(s.labels) for s in taken}
        for key in totals.keys() & self._told.keys():
            for revision, total in totals[key].items():
                grown = total - self._told[key].get(revision, Tally())
                if min(grown.parts) >= 0:
                    of = by_caller.setdefault(callers[key], {})
                    of[revision] = of.get(revision, Tally()) + grown
        self._totals, self._told = totals, {}
        return by_caller

    async def _of_pods(self, ask: Asking, question: Question, back: int) -> dict[str, Tally]:
        """By stable pod, where there are some to compare."""
        if len(question.stable_pods) < 2:
            return {}
        selector = istio.pods_series(question.host, question.revisions[0])
        grown = await self._grown(ask, self._pods, selector, back)
        found: dict[str, Tally] = {}
        for series in grown.series if grown else ():
            pod = _pod_of(series, question.stable_pods)
            if pod is not None:
                tally = istio.tally_of(series.labels, series.by, question.protocol)
                found[pod] = found.get(pod, Tally()) + tally
        return found

    async def _grown(self, ask: Asking, growing: Growing, selector: str, back: int) -> Grown | None:
        found = await ask.query(istio.REQUESTS, f"{selector}[{back}s]")
        if found is None:
            return None
        once = growing.once(found)
        strangers = growing.strangers(once)
        scraped = await self._scraped(ask, strangers, back - EDGE) if strangers else {}
        return None if scraped is None else growing.take(once, scraped)

    async def _scraped(self, ask: Asking, targets: Sequence[Target], back: int) -> dict[Target, float] | None:
        """The first time in that span at which each target was scraped with success."""
        instances = one_of(sorted({instance for _, instance in targets}))
        found = await ask.query("up", f"up{{instance=~{instances}}}[{back}s]")
        if found is None:
            return None
        times = {target_of(s): [at for at, value in s.samples if value == 1] for s in found}
        return {target: min(at) for target, at in times.items() if at}

    async def _is_timed(self, ask: Asking, question: Question, grown: Grown) -> bool:
        """Whether the histogram has the boundary; where it hasn't, that is said, with one that it has."""
        slower_than = question.slower_than
        if slower_than is None or istio.has_bound((s.labels for s in grown.series), slower_than):
            return True
        found = await ask.query(istio.DURATIONS, istio.known_bounds(question.host)) or []
        bounds = [float(s.labels["le"]) for s in found if s.labels.get("le", "+Inf") != "+Inf"]
        near = f"; the nearest is {min(bounds, key=lambda b: abs(b - slower_than)):g}ms" if bounds else ""
        ask.refuse(istio.DURATIONS, f"it has no boundary at {slower_than:g}ms{near}")
        return False


def _totals(taken: Iterable[Growth], question: Question) -> Counts:
    totals: Counts = {}
    for series in taken:
        _add(totals, _key(series.target), series.labels, istio.tally_of(series.labels, series.total, question.protocol))
    return totals


def _add(counts: Counts, key: str, labels: istio.Labels, tally: Tally) -> None:
    of, revision = counts.setdefault(key, {}), istio.revision_of(labels)
    of[revision] = of.get(revision, Tally()) + tally


def _key(target: Target) -> str:
    return "/".join(target)


def _pod_of(series: Growth, pods: Iterable[Pod]) -> str | None:
    labels, address = series.labels, address_of(series.target[1])
    named = (labels.get("namespace"), labels.get("pod"))
    return next((p.proxy for p in pods if address == p.ip or named == (p.namespace, p.name)), None)
