"""The evidence source `proxies`: what Envoy counted at everyone who calls a service, looked at once a second.

The callers' proxies see requests that never reached a pod, and a revision that lies about itself can't reach them.
"""

import asyncio
from collections.abc import Container, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from seatrial.evidence.ask import Absent, Ask, Refused, Unanswered
from seatrial.evidence.caller import Caller, Change, Read, When
from seatrial.evidence.figures import AWAY, HERE, OWN, Page
from seatrial.evidence.memories import Remembering
from seatrial.evidence.pages import Pages, Way
from seatrial.evidence.question import Protocol, Question, no_evidence
from seatrial.evidence.reading import read_connections, read_requests
from seatrial.rollout.evidence import Counters, Look, Tally

DEADLINE = 0.8  # seconds for all proxies together: who is later is silent, and tells all the same at the next look
AT_ONCE = 100  # proxies asked at the same time about one service
KEPT = 300.0  # seconds for which a caller that is gone is remembered: it may come back

Kind = Literal["caller", "own", "worker"]
Key = tuple[Kind, str]


@dataclass
class _Memory:
    """Of one host: its callers, and the proxies in front of its stable pods."""

    began: float
    slower_than: float | None
    protocol: Protocol
    at: float | None = None
    callers: dict[str, Caller] = field(default_factory=dict)
    own: dict[str, Caller] = field(default_factory=dict)

    def fits(self, question: Question) -> bool:
        """Whether what was counted can be gone on from."""
        return (self.slower_than, self.protocol) == (question.slower_than, question.protocol)


class Proxies(Remembering[_Memory]):
    """Remembers what each proxy told, so that every look is a difference; never negative, nothing counted twice."""

    def __init__(self, ask: Ask) -> None:
        super().__init__()
        self._pages = Pages(ask)

    async def look(self, question: Question, now: float) -> Look:
        """What was counted since the look before; the first one after `forget` counts nothing, it begins.

        `now` is a monotonic clock in seconds.
        """
        memory = self._memory(question, now)
        others = question.others
        way = Way(tcp=question.protocol == "tcp", latency=question.slower_than is not None)
        own = {pod.proxy: pod for pod in question.stable_pods}
        turns = asyncio.Semaphore(AT_ONCE)

        async def told(caller: Caller, asked: Coroutine[None, None, tuple[Page, When]]) -> Change:
            async with turns:
                page, when = await asked
            return caller.take(page, when, since=memory.began)

        for proxy in others:
            memory.callers.setdefault(proxy, self._caller(question))
        for proxy in own:
            memory.own.setdefault(proxy, self._caller(replace(question, slower_than=None)))
        asking: dict[Key, Coroutine[None, None, Change]] = {}
        for proxy, (_, pod) in others.items():
            asking["caller", proxy] = told(memory.callers[proxy], self._pages.of(pod, question.host, now, way))
        for proxy, pod in question.working.items():
            caller = memory.callers.setdefault(proxy, self._caller(question))
            asking["worker", proxy] = told(caller, self._pages.of(pod, AWAY, now, replace(way, tcp=False)))
        for proxy, pod in own.items():
            asking["own", proxy] = told(memory.own[proxy], self._pages.of(pod, HERE, now, replace(way, latency=False)))
        changes = await _gathered(asking)
        return self._look(question, memory, changes, now)

    def _memory(self, question: Question, now: float) -> _Memory:
        def begin(left: Counters) -> _Memory:
            callers = {proxy: self._caller(question, told) for proxy, told in left.items()}
            return _Memory(now, question.slower_than, question.protocol, callers=callers)

        return self.remembered(question.host, fits=lambda memory: memory.fits(question), begin=begin)

    def _caller(self, question: Question, told: Mapping[int, Tally] | None = None) -> Caller:
        return Caller(_reader(question), question.slower_than, told)

    def _look(self, question: Question, memory: _Memory, changes: Mapping[Key, Change], now: float) -> Look:
        others = question.others
        by_caller: dict[str, dict[int, Tally]] = {}
        tallies = dict.fromkeys(question.revisions, Tally())
        for proxy, (service, _) in others.items():
            told = changes.get(("caller", proxy), Change()).tallies
            of = by_caller.setdefault(service, dict.fromkeys(question.revisions, Tally()))
            for revision in question.revisions:
                of[revision] += told.get(revision, Tally())
                tallies[revision] += told.get(revision, Tally())
        for revision, pods in question.workers.items():
            for pod in pods:
                told = changes.get(("worker", pod.proxy), Change()).tallies
                tallies[revision] += told.get(OWN, Tally())
        seconds = 0.0 if memory.at is None else now - memory.at
        memory.at = now
        _forget_gone(memory.callers, {*others, *question.working}, now)
        _forget_gone(memory.own, {pod.proxy for pod in question.stable_pods}, now)
        return Look(
            at=now,
            seconds=seconds,
            tallies=tallies,
            by_caller=by_caller,
            stable_pods={
                proxy: change.tallies.get(OWN, Tally()) for (kind, proxy), change in changes.items() if kind == "own"
            },
            silent=_silent("caller", others, changes) + _silent("worker", question.working, changes),
            suspect=tuple(sorted(p for (kind, p), change in changes.items() if kind != "own" and change.suspect)),
            problems=tuple(why for why in (no_evidence(question),) if why),
            counters={proxy: caller.told for proxy, caller in memory.callers.items()},
        )


def _silent(kind: Kind, asked: Iterable[str], changes: Mapping[Key, Change]) -> tuple[str, ...]:
    return tuple(sorted(proxy for proxy in asked if (kind, proxy) not in changes))


def _reader(question: Question) -> Read:
    if question.protocol == "tcp":
        return read_connections
    return partial(read_requests, slower_than=question.slower_than, grpc=question.protocol == "grpc")


def _forget_gone(callers: dict[str, Caller], there: Container[str], now: float) -> None:
    for proxy in [p for p, caller in callers.items() if p not in there and now - caller.answered > KEPT]:
        del callers[proxy]


async def _gathered(asking: Mapping[Key, Coroutine[None, None, Change]]) -> dict[Key, Change]:
    """The answers that came in time."""
    tasks = {asyncio.create_task(question): key for key, question in asking.items()}
    if not tasks:
        return {}
    done, late = await asyncio.wait(tasks, timeout=DEADLINE)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    answers = {}
    for task in done:
        try:
            answers[tasks[task]] = task.result()
        except (Absent, Refused, Unanswered):
            continue
    return answers
