"""Queries of one's own: a count so far of all, and one of the bad ones, as a single number each.

Several series are refused, since a sum of one's own choosing is what their author knows to make. The counts are
differences of what the expressions give at two looks:
- Nothing there is no data, never zero: a metric's name that is mistyped must not pass for "none were bad". Who means
  none by nothing writes `or vector(0)`.
- The first value begins; it counts nothing.
- A value that falls (a pod is gone out of a sum, or another replica of Prometheus is some seconds behind) counts
  nothing until it is as high again; when it wasn't for a minute, counting begins anew there: nothing is counted twice.
- Bad ones that are known before their requests (two queries, two moments) wait until these are.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seatrial.api.rollouts import Query
from seatrial.evidence.prometheus_api import Asking, Misasked, Series
from seatrial.evidence.promql import filled
from seatrial.evidence.question import Question
from seatrial.rollout.evidence import Counters, Tally

PATIENCE = 60.0  # seconds for which a value that fell may rise again
MENTIONED_AFTER = 10.0  # seconds after which a value that fell is said
BEFORE = 300  # seconds before counting began that {{window}} reaches back, as far as Prometheus itself does

Pairs = dict[str, dict[int, tuple[int, int]]]
"""Total and bad by query and revision."""

_PREFIX = "query "  # how the counters of a query are called in a checkpoint, with its name


@dataclass
class Cumulative:
    """Of one query and revision: what was counted last, and since when the values are below it."""

    total: int
    bad: int
    below_since: float | None = None

    def advance(self, total: int, bad: int, now: float) -> tuple[int, int]:
        """Total and bad since the last time; (0, 0) while one of them is below what was counted."""
        if total < self.total or bad < self.bad:
            self.below_since = now if self.below_since is None else self.below_since
            if now - self.below_since >= PATIENCE:
                self.total, self.bad, self.below_since = total, bad, None
            return 0, 0
        self.below_since = None
        grown = total - self.total
        counted = min(bad - self.bad, grown)
        self.total, self.bad = total, self.bad + counted
        return grown, counted

    def complaint(self, now: float) -> str:
        """What to say of values that fell."""
        if self.below_since is None or now - self.below_since < MENTIONED_AFTER:
            return ""
        return f"its counts fell below {self.total} and {self.bad} and begin anew unless they rise within a minute"


class QueryCounts:
    """Remembers the counts of a host's queries. `told` are those of an earlier process of ours."""

    def __init__(self, told: Counters, *, began: float) -> None:
        self._began = began
        self._known = {
            (key.removeprefix(_PREFIX), revision): Cumulative(tally.requests, tally.failed)
            for key, tallies in told.items()
            if key.startswith(_PREFIX)
            for revision, tally in tallies.items()
        }

    @property
    def counters(self) -> dict[str, dict[int, Tally]]:
        """Where another process can go on from."""
        counters: dict[str, dict[int, Tally]] = {}
        for (name, revision), told in self._known.items():
            counters.setdefault(f"{_PREFIX}{name}", {})[revision] = Tally(requests=told.total, failed=told.bad)
        return counters

    async def look(self, ask: Asking, question: Question, queries: Sequence[Query], now: float) -> Pairs:
        """What came since the look before. What has no data isn't there."""
        asked = [(query, revision) for query in queries for revision in dict.fromkeys(question.revisions)]
        values = [self._values(question, revision, now) for _, revision in asked]
        answers = await asyncio.gather(*(_ask(ask, q, v) for (q, _), v in zip(asked, values, strict=True)))
        pairs: Pairs = {}
        for (query, revision), answer in zip(asked, answers, strict=True):
            if answer is not None:
                pairs.setdefault(query.name, {})[revision] = self._advance(ask, query.name, revision, answer, now)
        return pairs

    def _values(self, question: Question, revision: int, now: float) -> dict[str, str]:
        name, namespace = question.host.split(".")[:2]
        window = f"{math.ceil(now - self._began) + BEFORE}s"
        return {"service": name, "namespace": namespace, "revision": str(revision), "window": window}

    def _advance(self, ask: Asking, name: str, revision: int, answer: tuple[int, int], now: float) -> tuple[int, int]:
        known = self._known.setdefault((name, revision), Cumulative(*answer))
        grown = known.advance(*answer, now)
        if complaint := known.complaint(now):
            ask.refuse(f"query {name} of revision {revision}", complaint)
        return grown


async def _ask(ask: Asking, query: Query, values: Mapping[str, str]) -> tuple[int, int] | None:
    named = f"query {query.name} of revision {values['revision']}"
    total, bad = await asyncio.gather(
        _count(ask, f"{named}, total", query.total, values), _count(ask, f"{named}, bad", query.bad, values)
    )
    return None if total is None or bad is None else (total, bad)


async def _count(ask: Asking, named: str, expression: str, values: Mapping[str, str]) -> int | None:
    try:
        found = await ask.query(named, filled(expression, values))
        count = count_of(found) if found is not None else None
    except (Misasked, ValueError) as error:
        ask.refuse(named, str(error))
        return None
    if found is not None and count is None:
        ask.refuse(named, "it gives no series, and that isn't zero: add `or vector(0)` where it is meant to be")
    return count


def count_of(found: Sequence[Series]) -> int | None:
    """The one number of an answer, None where there is none. Raises `Misasked` for what can't be a count so far."""
    if not found:
        return None
    if len(found) > 1:
        raise Misasked(f"it gives {len(found)} series: put sum( ) around it")
    (_, value) = found[0].newest
    if not math.isfinite(value) or value < 0:
        raise Misasked(f"it gives {value}, which is no count")
    return math.floor(value)
