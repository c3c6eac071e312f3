"""A small sea to sail rollouts on: it carries out decisions the way a cluster does, late, in any order and in part.

Decisions come from the real `decide`; only what a cluster adds is modelled here: pods that take time, proxies that
acknowledge late, and an operator that dies between any two writes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from seatrial.api.base import ObjectMeta
from seatrial.api.meshservice import MeshService, MeshServiceStatus
from seatrial.api.names import ANNOTATION_VERB
from seatrial.api.revision import (
    Evidence,
    Phase,
    Revision,
    RevisionSpec,
    RevisionStatus,
    Share,
    SloEvidence,
    template_of,
)
from seatrial.rollout.capacity import needed
from seatrial.rollout.decide import decide
from seatrial.rollout.report import Findings, report
from seatrial.rollout.verbs import asked, is_answered
from seatrial.rollout.world import Decision, Finding, Mesh, Migration, Pods, Routing, Verdict, World, stamp


def a_service(**spec: Any) -> MeshService:
    """A MeshService `orders` with 4 replicas, steps 10 and 50, and the fields given in the form of its YAML."""
    own = {"image": "one", "port": 8080, "replicas": 4, "expose": [{"host": "shop.localhost"}]}
    whole = own | {"rollout": {"steps": [10, 50]}} | spec
    return MeshService.parse(
        {"metadata": {"name": "orders", "namespace": "shop", "uid": "u", "generation": 1}, "spec": whole}
    )


@dataclass
class Sea:
    """The cluster. `ready_after`, `ack_after` (of routes) and `subsets_after` are counted in looks.

    `broken` images never become ready; `carried` and `known` are the routes and subsets that the slowest caller has.
    """

    service: MeshService
    ready_after: int = 1
    ack_after: int = 1
    subsets_after: int = 1
    broken: frozenset[str] = frozenset()
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    revisions: dict[int, Revision] = field(default_factory=dict)
    pods: dict[int, Pods] = field(default_factory=dict)
    routing: Routing = field(default_factory=Routing)
    busy: dict[int, int] = field(default_factory=dict)
    judge: bool = True
    verdict: Verdict | None = None
    restarts: dict[int, int] = field(default_factory=dict)
    migrations: dict[int, Migration] = field(default_factory=dict)
    ages: dict[int, int] = field(default_factory=dict)
    unacknowledged: int = 0
    unknown: int = 0
    carried: Routing = field(default_factory=Routing)
    known: frozenset[int] = frozenset()
    told: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    died: bool = False

    @property
    def hash(self) -> str:
        return self.service.spec.image

    def world(self) -> World:
        return World(
            service=self.service,
            template_hash=self.hash,
            revisions=tuple(self.revisions.values()),
            pods={n: self._with_restarts(n, p) for n, p in self.pods.items()},
            mesh=Mesh(self.routing, ("gateway-1",) if self.unacknowledged or self.unknown else (), dict(self.busy)),
            now=self.now,
            migrations=dict(self.migrations),
            judge=self.judge,
            verdict=self.verdict,
        )

    def ask(self, revision: int, verb: str) -> None:
        """Annotate a Revision with a verb."""
        self._annotate(revision, {ANNOTATION_VERB: verb})

    def answer(self, revision: int) -> tuple[bool, str]:
        """Whether its last verb was done, and what was said."""
        answer = self.revisions[revision].status.answer
        assert answer is not None, f"nothing was answered at revision {revision}"
        return answer.done, answer.message

    def sees(
        self,
        finding: Finding,
        *,
        allowed: int = 0,
        requests: int = 1000,
        reason: str = "as it is",
        checkpoint: str = "",
        silent: tuple[str, ...] = (),
    ) -> None:
        """From now on that is the verdict."""
        evidence = Evidence(
            verdict=finding, reason=reason, at=stamp(self.now), checkpoint=checkpoint, silent=list(silent)
        )
        self.verdict = Verdict(finding, reason, allowed, requests, evidence)

    def counted(self, *, stable: int, canary: int) -> None:
        """So many requests are in the evidence of the present verdict."""
        assert self.verdict is not None
        slo = SloEvidence(name="errors", canary=Share(total=canary), stable=Share(total=stable))
        evidence = self.verdict.evidence.model_copy(update={"slos": [slo]})
        self.verdict = replace(self.verdict, evidence=evidence)

    def change(self, image: str, **spec: Any) -> None:
        """Apply another template."""
        whole = self.service.spec.dump() | {"image": image} | spec
        self.service = self.service.model_copy(update={"spec": type(self.service.spec).parse(whole)})

    def look(self, *, die_after: int | None = None) -> Decision:
        """One pass of the reconciler, perhaps killed after some of its writes, then one second of weather."""
        decision = decide(self.world())
        writes = [*self._verbs_off(), *self._writes(decision)]
        self.died = die_after is not None and die_after < len(writes)
        for write in writes[:die_after]:
            write()
        self._weather()
        self._check()
        return decision

    def sail(self, looks: int = 60) -> "Sea":
        """Look until nothing more is to be done, at most that often."""
        for _ in range(looks):
            if self.look().look_after is None:
                break
        return self

    def until(self, phase: Phase, revision: int, looks: int = 200) -> Decision:
        """Look until that revision's attempt is in that phase."""
        for _ in range(looks):
            decision = self.look()
            status = self.revisions[revision].status if revision in self.revisions else None
            if status and status.attempt and status.attempt.phase is phase:
                return decision
        raise AssertionError(f"revision {revision} never became {phase}: {self.story(revision)}")

    def story(self, revision: int) -> list[tuple[str, int]]:
        """Phase and weight of each entry of the newest attempt."""
        attempt = self.revisions[revision].status.attempt
        return [(e.phase.value, e.weight) for e in attempt.history] if attempt else []

    def phase(self, revision: int) -> Phase | None:
        attempt = self.revisions[revision].status.attempt
        return attempt.phase if attempt else None

    def _writes(self, decision: Decision) -> Iterator[Callable[[], object]]:
        """What changes, in the order of the reconciler: Revision, statuses, pods, mesh, forgotten ones, own status."""
        reported = report(self.world(), decision, Findings())
        if decision.create is not None:
            yield partial(self._freeze, decision.create)
        for number, status in decision.statuses.items():
            if status != self.revisions[number].status:
                yield partial(self._tell, number, status)
        for number, replicas in decision.scales.items():
            if number not in self.pods or self.pods[number].wanted != replicas:
                yield partial(self._scale, number, replicas)
        if decision.routing != self.routing:
            yield partial(self._route, decision.routing)
        for number in decision.forget:
            yield partial(self._forget, number)
        if reported != self.service.status:
            yield partial(self._report, reported)

    def _with_restarts(self, number: int, pods: Pods) -> Pods:
        restarts = self.restarts.get(number, 0)
        return replace(pods, restarts=restarts, ready=pods.ready - bool(restarts)) if restarts else pods

    def _verbs_off(self) -> Iterator[Callable[[], object]]:
        for number, revision in self.revisions.items():
            if (raw := asked(revision)) is not None and is_answered(revision, raw):
                yield partial(self._annotate, number, {})

    def _annotate(self, number: int, annotations: dict[str, str]) -> None:
        revision = self.revisions[number]
        metadata = revision.metadata.model_copy(update={"annotations": annotations})
        self.revisions[number] = revision.model_copy(update={"metadata": metadata})

    def _tell(self, number: int, status: RevisionStatus) -> None:
        self.revisions[number] = self.revisions[number].model_copy(update={"status": status})

    def _forget(self, number: int) -> None:
        del self.revisions[number]
        self.pods.pop(number, None)

    def _freeze(self, number: int) -> None:
        spec = RevisionSpec(service="orders", number=number, hash=self.hash, template=template_of(self.service.spec))
        self.revisions[number] = Revision(metadata=ObjectMeta(name=f"orders-{number}"), spec=spec)

    def _scale(self, number: int, replicas: int) -> None:
        before = self.pods.get(number, Pods())
        weight = max(self.carried.weights.get(number, 0), self.routing.weights.get(number, 0))
        least = needed(self.service.spec.replicas, weight) if weight else 0
        if replicas < before.wanted and replicas < least and self.service.spec.service_ports:
            self.faults.append(f"revision {number} has {weight} % and was scaled from {before.wanted} to {replicas}")
        if replicas > before.wanted:
            self.ages[number] = 0
        since = before.waiting_since or stamp(self.now) if replicas > before.ready else ""
        self.pods[number] = Pods(wanted=replicas, ready=min(before.ready, replicas), waiting_since=since)

    def _route(self, routing: Routing) -> None:
        if routing.weights != self.routing.weights:
            self.unacknowledged = self.ack_after
        if routing.subsets != self.routing.subsets:
            self.unknown = self.subsets_after
        self.told.append(f"{dict(routing.weights)}")
        self.routing = routing

    def _report(self, status: MeshServiceStatus) -> None:
        self.service = self.service.model_copy(update={"status": status})

    def _check(self) -> None:
        """No caller may have a route to a revision without a ready pod, once anything was ready at all."""
        serving = any(p.ready for p in self.pods.values())
        if serving and self.known and (lost := self.carried.routed - self.known):
            self.faults.append(f"a caller routes to {sorted(lost)} and knows only the subsets {sorted(self.known)}")
        for number, weight in self.carried.weights.items():
            if weight and serving and not self.pods.get(number, Pods()).ready and not self._is_broken(number):
                self.faults.append(f"{weight} % go to revision {number}, which has no ready pod")

    def _is_broken(self, number: int) -> bool:
        return number in self.revisions and self.revisions[number].spec.hash in self.broken

    def _weather(self) -> None:
        self.now += timedelta(seconds=1)
        for number, pods in self.pods.items():
            self.ages[number] = self.ages.get(number, 0) + 1
            if self.ages[number] >= self.ready_after and not self._is_broken(number):
                self.pods[number] = Pods(wanted=pods.wanted, ready=pods.wanted)
        if self.unacknowledged:
            self.unacknowledged -= 1
        if self.unknown:
            self.unknown -= 1
        if not self.unacknowledged:
            self.carried = self.routing
        if not self.unknown:
            self.known = self.routing.subsets
