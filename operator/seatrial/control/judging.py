"""Verdicts on the attempts under way: looks at most once a second, and keeps the ledgers between looks.

A ledger lives in memory and, every few seconds, as a checkpoint in the attempt's status, from which another process
goes on.
"""

import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from seatrial.api.base import seconds
from seatrial.api.meshservice import MeshService
from seatrial.api.names import host_of
from seatrial.api.revision import Attempt, Phase, Revision
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
LOOK_EVERY = 0.9  # seconds after which a pass that comes for another reason looks too
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
    """A ledger, when it was last entered, and its newest checkpoint."""

    ledger: Ledger
    entered_at: float = float("-inf")
    dumped_at: float = float("-inf")
    text: str = ""


class Judging:
    """`sources` by the name that an analysis calls them."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._sources = sources
        self._clock = clock
        self._now = now
        self._trials: dict[str, _Trial] = {}  # by host

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
        host = host_of(service.metadata.name, service.metadata.namespace)
        tried = _under_way(revisions)
        stable = stable_of({r.spec.number: r.status for r in revisions})
        if tried is None or stable is None or not is_judged(service.spec):
            self.forget(service.metadata.namespace, service.metadata.name)
            return None
        canary, attempt = tried
        case = _case(service, attempt, canary, stable)
        source = self._sources[case.analysis.source]
        trial = self._trial(host, case, attempt, source)
        now = self._clock()
        if now - trial.entered_at >= LOOK_EVERY:
            question = _question(service, host, case, await callers(), pods)
            look = await source.look(question, now)
            trial.ledger, trial.entered_at = enter(trial.ledger, look, attempt.weight.wanted), now
            if trial.entered_at - trial.dumped_at >= CHECKPOINT_EVERY:
                trial.text, trial.dumped_at = checkpoint.dump(trial.ledger), trial.entered_at
        found = judge(trial.ledger, self._now())
        evidence = found.evidence.model_copy(update={"checkpoint": trial.text})
        return Verdict(found.finding, found.reason, found.allowed, found.requests, evidence)

    def next_look(self, namespace: str, name: str) -> float | None:
        """When the attempt under way is to be looked at again, by the clock; None where nothing is judged.

        A second after the last pass would be too late: passes in between look at nothing.
        """
        trial = self._trials.get(host_of(name, namespace))
        return None if trial is None else trial.entered_at + LOOK_APART

    def forget(self, namespace: str, name: str) -> None:
        """Drop what is remembered of a service without a rollout."""
        host = host_of(name, namespace)
        if self._trials.pop(host, None) is not None:
            for source in self._sources.values():
                source.forget(host)

    def _trial(self, host: str, case: Case, attempt: Attempt, source: Source) -> _Trial:
        trial = self._trials.get(host)
        if trial is not None and trial.ledger.case == case:
            return trial
        if trial is not None and trial.ledger.case.attempt == case.attempt:
            ledger = open_ledger(case, self._now(), restarts=trial.ledger.restarts + 1)
        elif attempt.evidence is not None and attempt.evidence.checkpoint:
            ledger = checkpoint.load(case, attempt.evidence.checkpoint, self._now())
            source.resume(host, ledger.counters)
        else:
            ledger = open_ledger(case, self._now())
        self._trials[host] = _Trial(ledger)
        return self._trials[host]


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
