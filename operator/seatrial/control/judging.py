"""Verdicts on the attempts under way: looks once a second, and keeps the ledgers between looks.

Looks wait for no pass: passes write, and wait for the API server, which may be busy with a hundred rollouts. So looks
have turns of their own (`Judging.look`), and a pass takes the verdict as it is by then. What is asked, and the weight
that counts, are those of the last pass. A ledger lives in memory and, every few seconds, as a checkpoint in the
attempt's status, from which another process goes on.
"""

import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol
from zlib import crc32

from seatrial.api.base import seconds
from seatrial.api.meshservice import MeshService
from seatrial.api.names import host_of
from seatrial.api.revision import Attempt, Phase, Revision
from seatrial.control.pace import apart
from seatrial.evidence.ask import Pod
from seatrial.evidence.question import Protocol as Spoken
from seatrial.evidence.question import Question
from seatrial.rollout import checkpoint
from seatrial.rollout.analysis import Case, Ledger, enter, judge, open_ledger
from seatrial.rollout.evidence import Counters, Look
from seatrial.rollout.helm import stable_of
from seatrial.rollout.steps import is_judged
from seatrial.rollout.world import Verdict

LOOK_APART = 1.0  # seconds from look to look
LEAST_APART = 0.9  # seconds between two looks in any case
LATE = 1.4  # seconds after a look from which a pass looks itself: the turns of this one seem to fail
OVERDUE = 0.5  # seconds after a pass was due from which it comes by itself
EACH = 0.025  # seconds for each rollout under way until the next pass, where looks bring nothing to decide by
NUDGE = 0.08  # seconds by which a look may come earlier or later, so that not all come at once
NEIGHBOURS = 0.3  # of a second in which the looks of a namespace come: their callers are asked once for many of them
CHECKPOINT_EVERY = 4.5  # seconds
_JUDGED = frozenset({Phase.STARTING, Phase.SHIFTING, Phase.PAUSED, Phase.PROMOTING})


class Source(Protocol):
    """Where looks come from."""

    async def look(self, question: Question, now: float) -> Look:
        """What was counted since the look before; `now` is a monotonic clock in seconds."""
        ...

    def resume(self, host: str, counters: Counters) -> None:
        """Go on from where another process stood."""
        ...

    def forget(self, host: str) -> None:
        """Drop what is remembered of a host."""
        ...


@dataclass
class _Trial:
    """A ledger, when it was last entered, and its newest checkpoint; what is asked, of whom, and the canary's weight.

    `verdict` is what the ledger says, None until somebody wants to know; `told` is the last one that a pass took.
    """

    ledger: Ledger
    source: Source
    asked: Callable[[], Awaitable[Question]]
    weight: int = 0
    entered_at: float = float("-inf")
    dumped_at: float = float("-inf")
    text: str = ""
    verdict: Verdict | None = None
    told: Verdict | None = None
    told_at: float = float("-inf")


class Judging:
    """`sources` by the name that an analysis calls them; `begun` is told of each service whose looks begin."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        *,
        begun: Callable[[str, str], None] = lambda _, __: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._sources = sources
        self._begun = begun
        self._clock = clock
        self._now = now
        self._trials: dict[str, _Trial] = {}  # by host
        self._looking: set[str] = set()  # hosts: two looks at one of them at a time would mix up their pages

    @property
    def rollouts(self) -> int:
        """How many are looked at."""
        return len(self._trials)

    async def verdict(
        self,
        service: MeshService,
        revisions: Sequence[Revision],
        callers: Callable[[], Awaitable[Mapping[str, Sequence[Pod]]]],
        pods: Callable[[int], Sequence[Pod]],
    ) -> Verdict | None:
        """What the evidence says of the attempt under way; None where there is none, or nothing to judge it by.

        `callers`, and the `pods` of a revision, are found when somebody is to be asked: most passes ask nobody.
        """
        meta = service.metadata
        host = host_of(meta.name, meta.namespace)
        tried = _under_way(revisions)
        stable = stable_of({r.spec.number: r.status for r in revisions})
        if tried is None or stable is None or not is_judged(service.spec):
            self.forget(meta.namespace, meta.name)
            return None
        canary, attempt = tried
        case = _case(service, attempt, canary, stable)

        async def asked() -> Question:
            return _question(service, host, case, await callers(), pods)

        trial = self._trials.get(host)
        if trial is None or trial.ledger.case != case:
            trial = self._trials[host] = self._open(host, case, attempt, asked)
            self._begun(meta.namespace, meta.name)
        trial.asked, trial.weight = asked, attempt.weight.wanted
        if self._is_due(host, trial, LATE):
            await self._enter(host, trial)
        trial.told, trial.told_at = self._judge(trial), self._clock()
        return trial.told

    async def look(self, namespace: str, name: str) -> float | None:
        """Look where it is time to; gives the seconds from now until it is again, None where nothing is judged."""
        host = host_of(name, namespace)
        trial, began = self._trials.get(host), self._clock()
        if trial is None:
            return None
        if not self._is_due(host, trial, LEAST_APART):
            return max(trial.entered_at + LOOK_APART - began, LOOK_APART - LEAST_APART)
        await self._enter(host, trial)
        return LOOK_APART + _nudge(namespace, host, began)

    def news(self, namespace: str, name: str) -> Literal["worse", "some"] | None:
        """What the last look calls for a pass by: a revision that is worse, something to decide by, or that it is time.

        Where dozens of rollouts are under way, passes that only wait would keep all others waiting.
        """
        trial = self._trials.get(host_of(name, namespace))
        if trial is None or trial.told is None:
            return "some"
        now, then = self._judge(trial), trial.told
        if now.finding == "Worse":
            return "worse"  # until its weight is taken: a pass may fail
        found = now.finding != then.finding or (now.finding == "Better" and now.allowed > then.allowed)
        return "some" if found or self._clock() - trial.told_at >= self._turn - NUDGE else None

    def overdue(self, namespace: str, name: str) -> float | None:
        """When a pass is to come though no look has led to one, by the clock; None where nothing is judged."""
        trial = self._trials.get(host_of(name, namespace))
        return None if trial is None else trial.entered_at + self._turn + OVERDUE

    @property
    def _turn(self) -> float:
        """Seconds from pass to pass of a rollout, where looks bring nothing to decide by."""
        return max(LOOK_APART, EACH * self.rollouts)

    def forget(self, namespace: str, name: str) -> None:
        """Drop what is remembered of a service without a rollout."""
        host = host_of(name, namespace)
        if self._trials.pop(host, None) is not None:
            for source in self._sources.values():
                source.forget(host)

    def _is_due(self, host: str, trial: _Trial, after: float) -> bool:
        return host not in self._looking and self._clock() - trial.entered_at >= after

    async def _enter(self, host: str, trial: _Trial) -> None:
        """One look. What it brings is of this trial alone, which may be over by then."""
        now = self._clock()
        self._looking.add(host)
        try:
            look = await trial.source.look(await trial.asked(), now)
        finally:
            self._looking.discard(host)
            if host not in self._trials:
                trial.source.forget(host)
        if self._trials.get(host) is not trial:
            return
        trial.ledger, trial.entered_at, trial.verdict = enter(trial.ledger, look, trial.weight), now, None
        if now - trial.dumped_at >= max(CHECKPOINT_EVERY, apart(self.rollouts)):  # it is written no more often
            trial.text, trial.dumped_at = checkpoint.dump(trial.ledger), now

    def _judge(self, trial: _Trial) -> Verdict:
        if trial.verdict is None:
            found = judge(trial.ledger, self._now())
            evidence = found.evidence.model_copy(update={"checkpoint": trial.text})
            trial.verdict = Verdict(found.finding, found.reason, found.allowed, found.requests, evidence)
        return trial.verdict

    def _open(self, host: str, case: Case, attempt: Attempt, asked: Callable[[], Awaitable[Question]]) -> _Trial:
        source, before = self._sources[case.analysis.source], self._trials.get(host)
        if before is not None and before.ledger.case.attempt == case.attempt:
            ledger = open_ledger(case, self._now(), restarts=before.ledger.restarts + 1)
        elif attempt.evidence is not None and attempt.evidence.checkpoint:
            ledger = checkpoint.load(case, attempt.evidence.checkpoint, self._now())
            source.resume(host, ledger.counters)
        else:
            ledger = open_ledger(case, self._now())
        return _Trial(ledger, source, asked)


def _nudge(namespace: str, host: str, now: float) -> float:
    """What brings a host's looks to a moment of their own within the second: neighbours are those of a namespace."""
    moment = (crc32(namespace.encode()) + NEIGHBOURS * crc32(host.encode())) / 2**32
    away = (moment - now + 0.5) % 1.0 - 0.5
    return min(max(away, -NUDGE), NUDGE)


def _under_way(revisions: Sequence[Revision]) -> tuple[int, Attempt] | None:
    for revision in revisions:
        attempt = revision.status.attempt
        if attempt is not None and attempt.phase in _JUDGED:
            return revision.spec.number, attempt
    return None


def _case(service: MeshService, attempt: Attempt, canary: int, stable: int) -> Case:
    rollout = service.spec.rollout
    if rollout.analysis is None:
        raise ValueError("there is no analysis")
    rules = [rollout.analysis.dump(), service.spec.traffic.dump()]
    policy = hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:12]
    return Case(
        attempt.number,
        canary,
        stable,
        rollout.analysis,
        policy,
        http=bool(service.spec.service_ports) and _spoken(service) != "tcp",
    )


def _question(
    service: MeshService,
    host: str,
    case: Case,
    callers: Mapping[str, Sequence[Pod]],
    pods: Callable[[int], Sequence[Pod]],
) -> Question:
    """Of a service that nobody calls, the pods themselves are asked what became of their own calls."""
    latency = case.analysis.latency
    revisions = (case.stable, case.canary)
    called = bool(service.spec.service_ports)
    return Question(
        host=host,
        callers=callers,
        revisions=revisions,
        stable_pods=pods(case.stable) if called else (),
        slower_than=1000 * seconds(latency.slower_than) if latency else None,
        protocol=_spoken(service),
        prometheus=case.analysis.prometheus,
        workers={} if called else {revision: pods(revision) for revision in revisions},
    )


def _spoken(service: MeshService) -> Spoken:
    spoken = {port.app_protocol for port in service.spec.service_ports}
    return "tcp" if spoken == {"tcp"} else "grpc" if "grpc" in spoken else "http"
