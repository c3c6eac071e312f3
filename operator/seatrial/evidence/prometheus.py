"""The evidence source `prometheus`: Istio's own metrics, and queries of one's own, where the chart allows the address.

It answers a question as `Proxies` does. What differs: news come with each scrape, every 15 s or so. So Prometheus is
asked at every third look or so; an answer about many callers is work for both sides. A look between two scrapes brings
nothing, which isn't silence, so its `seconds` are 0; the next one that brings something has all the seconds since the
last that did. Counts of one scrape of a caller come together, so canary and stable are of the same
span. What can't be answered is said in `problems` and is no data; a Prometheus that can't be reached is `silent`.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seatrial.api.rollouts import Query
from seatrial.evidence.memories import Remembering
from seatrial.evidence.prometheus_api import Asking, PrometheusApi
from seatrial.evidence.prometheus_queries import QueryCounts
from seatrial.evidence.prometheus_requests import RequestCounts, Requests
from seatrial.evidence.question import Protocol, Question
from seatrial.rollout.evidence import Counters, Look, Tally

ADDRESSES = "SEATRIAL_PROMETHEUS_ADDRESSES"
ASK_EVERY = 2.8  # seconds; looks come every second
STALE = 120.0  # seconds without a newer sample after which that is said
GAP = 60.0  # seconds without a look after which counting begins anew: what came meanwhile isn't of this rollout


def allowed_addresses(environment: Mapping[str, str]) -> frozenset[str]:
    """The addresses that may be asked, as the chart gives them: separated by spaces."""
    return frozenset(a.rstrip("/") for a in environment.get(ADDRESSES, "").split())


def refusal(address: str, allowed: frozenset[str]) -> str:
    """Why an address isn't asked, in one sentence; empty where it is."""
    if address.rstrip("/") in allowed:
        return ""
    named = f"has {', '.join(sorted(allowed))}" if allowed else "has none"
    return f"{address} isn't asked: the chart's value prometheus.addresses {named}"


@dataclass
class _Memory:
    """Of one host."""

    address: str
    slower_than: float | None
    protocol: Protocol
    requests: RequestCounts
    queries: QueryCounts
    at: float
    brought: float  # when a look brought something last
    scraped: float | None = None  # when there was a newer sample last
    said: Look | None = None  # at the last look for which Prometheus was asked

    def fits(self, question: Question, address: str, now: float) -> bool:
        """Whether what was counted can be gone on from."""
        same = (self.address, self.slower_than, self.protocol) == (address, question.slower_than, question.protocol)
        return same and now - self.at <= GAP

    @property
    def counters(self) -> Counters:
        """Where another process can go on from."""
        return {**self.requests.counters, **self.queries.counters}


class PrometheusSource(Remembering[_Memory]):
    """Remembers what was counted of each host, so that every look is a difference."""

    def __init__(self, api: PrometheusApi, *, allowed: frozenset[str]) -> None:
        super().__init__()
        self._api = api
        self._allowed = allowed

    async def look(self, question: Question, now: float) -> Look:
        """What was counted since the look before; the first one counts nothing, it begins. `now` is monotonic."""
        policy = question.prometheus
        if policy is None:
            return Look(now, problems=("analysis.prometheus names no address",))
        if refused := refusal(policy.address, self._allowed):
            return Look(now, problems=(refused,))
        memory = self._memory(question, policy.address.rstrip("/"), now)
        if (said := memory.said) is not None and now - memory.at < ASK_EVERY:
            return Look(now, silent=said.silent, problems=said.problems, counters=said.counters)
        memory.said = await self._look(question, policy.queries, memory, now)
        return memory.said

    async def close(self) -> None:
        """End the connections."""
        await self._api.close()

    async def _look(self, question: Question, own: Sequence[Query], memory: _Memory, now: float) -> Look:
        ask = Asking(self._api, memory.address)
        requests, queries = await asyncio.gather(
            _requests(ask, memory, question, now), memory.queries.look(ask, question, own, now)
        )
        memory.at = now
        if requests.newer:
            memory.scraped = now
        seconds = 0.0
        if requests.newer or any(counts != (0, 0) for of in queries.values() for counts in of.values()):
            seconds, memory.brought = now - memory.brought, now
        if not ask.unanswered and (complaint := _stale(memory, now)):
            ask.refuse("istio_requests_total", complaint)
        return Look(
            at=now,
            seconds=seconds,
            tallies=_over_callers(requests),
            by_caller=requests.by_caller,
            stable_pods=requests.by_pod,
            queries=queries,
            silent=(f"Prometheus at {memory.address} ({ask.unanswered})",) if ask.unanswered else (),
            suspect=requests.fell,
            problems=tuple(sorted(ask.problems)),
            counters=memory.counters,
        )

    def _memory(self, question: Question, address: str, now: float) -> _Memory:
        def begin(left: Counters) -> _Memory:
            return _Memory(
                address=address,
                slower_than=question.slower_than,
                protocol=question.protocol,
                requests=RequestCounts(left),
                queries=QueryCounts(left, began=now),
                at=now,
                brought=now,
            )

        return self.remembered(question.host, fits=lambda memory: memory.fits(question, address, now), begin=begin)


async def _requests(ask: Asking, memory: _Memory, question: Question, now: float) -> Requests:
    """Where a service speaks tcp there are none."""
    if question.protocol == "tcp":
        return Requests()
    return await memory.requests.look(ask, question, math.ceil(now - memory.at))


def _over_callers(requests: Requests) -> dict[int, Tally]:
    tallies: dict[int, Tally] = {}
    for of in requests.by_caller.values():
        for revision, tally in of.items():
            tallies[revision] = tallies.get(revision, Tally()) + tally
    return tallies


def _stale(memory: _Memory, now: float) -> str:
    """What to say where Prometheus answers and has no news."""
    if memory.protocol == "tcp":
        return ""
    if memory.scraped is None:
        return "it has no series of the service's callers: does it scrape their proxies, and are these Istio's own?"
    return f"it has had no new sample of the service's callers for {STALE:g} s" if now - memory.scraped > STALE else ""
