"""One safe move of one MeshService: from what is seen to what shall be.

The stable revision is the one whose attempt with the highest number succeeded: state lives in the Revisions alone, so
that a crash between any two writes is healed by the next look. Order of safety, whatever happens: a revision is routed
only when its subset is known to all callers and its pods are ready; it is scaled down only when no caller can send it
anything. Going back to stable never waits.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from seatrial.api.base import seconds
from seatrial.api.revision import Attempt, Phase, RevisionStatus
from seatrial.rollout import capacity
from seatrial.rollout.cleanup import forgotten, leave
from seatrial.rollout.report import tell
from seatrial.rollout.story import Story
from seatrial.rollout.world import Decision, Mesh, Pods, Routing, World, moment

LOOK_WHILE_ACTIVE = 1.0


def decide(world: World) -> Decision:
    """Choose the next safe move. Calling it again on an unchanged world moves nothing."""
    return _Helm(world if world.service.spec.service_ports else _without_routes(world)).steer()


def stable_of(statuses: Mapping[int, RevisionStatus]) -> int | None:
    """The revision that succeeded last, by attempt number, never by time."""
    succeeded = [(a.number, n) for n, s in statuses.items() for a in s.attempts if a.phase is Phase.SUCCEEDED]
    return max(succeeded)[1] if succeeded else None


def _without_routes(world: World) -> World:
    """A service without ports has no routes to read back: what its newest attempt asked for is what is."""
    statuses = {r.spec.number: r.status for r in world.revisions}
    stable = stable_of(statuses)
    canary = next((n for n, s in statuses.items() if s.attempt and s.attempt.phase.active), None)
    attempt = statuses[canary].attempt if canary is not None else None
    wanted = attempt.weight.wanted if attempt else 0
    subsets = frozenset(n for n in (stable, canary) if n is not None)
    return replace(world, mesh=Mesh(live=Routing(_split(stable, canary, wanted), subsets)))


def _split(stable: int | None, canary: int | None, wanted: int) -> dict[int, int]:
    """Weights that sum to 100; the first revision of a service has it all from the start."""
    if stable is None:
        return {} if canary is None else {canary: 100}
    if canary is None:
        return {stable: 100}
    return {n: w for n, w in ((stable, 100 - wanted), (canary, wanted)) if w > 0}


class _Helm:
    """The state of one decision while it is made."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.spec = world.service.spec
        self.rollout = self.spec.rollout
        self.story = Story(world.now, {r.spec.number: r.status for r in world.revisions})
        self.target = next((r.spec.number for r in world.revisions if r.spec.hash == world.template_hash), None)
        self.live = world.mesh.live
        self.stable = self._stable()
        self.weight = 0  # of the canary
        self.pods_ahead = 0  # the canary's replicas: for its weight, and already for the next one

    def steer(self) -> Decision:
        if self.world.service.metadata.deletion_timestamp:
            return self._delete()
        canary = self._canary()
        if canary is not None:
            self._advance(canary, self._attempt(canary))
        if canary is None or not self._attempt(canary).phase.active:
            canary = self._begin()
        return self._conclude(canary)

    # -- which revision is stable, and which is on its way

    def _stable(self) -> int | None:
        """The one that succeeded last; where none has, what has the traffic and isn't on trial.

        That is a first one that was superseded, or one whose Revision somebody deleted.
        """
        routed = {n: w for n, w in self.live.weights.items() if not self._on_trial(n)}
        heaviest = max(routed, key=lambda n: (routed[n], n), default=None)
        return stable_of(self.story.statuses) or heaviest

    def _on_trial(self, number: int) -> bool:
        attempt = self.story.attempt(number)
        return attempt is not None and attempt.phase.active

    def _canary(self) -> int | None:
        """The revision whose attempt is under way. There is at most one."""
        for number, status in self.story.statuses.items():
            if status.attempt is not None and status.attempt.phase.active:
                return number
        return None

    def _attempt(self, number: int) -> Attempt:
        attempt = self.story.attempt(number)
        if attempt is None:
            raise LookupError(f"revision {number} has no attempt")
        return attempt

    def _begin(self) -> int | None:
        """Start an attempt for the template as it is now, where one is due."""
        target, self.stable = self.target, self._stable()
        if target is None or target == self.stable or not self.world.judge:
            return None
        attempt = self.story.attempt(target)
        if attempt is not None and target == self.world.service.status.target_revision:
            return None  # it was tried since the template last changed
        verb = "again " if attempt is not None else ""
        self.story.begin(target, f"revision {target} starts {verb}{self._beside()}")
        return target

    def _beside(self) -> str:
        return "as the first one" if self.stable is None else f"beside stable revision {self.stable}"

    # -- one move of an attempt that is under way

    def _advance(self, canary: int, attempt: Attempt) -> None:
        self._verify(canary, attempt)
        attempt = self._attempt(canary)
        if attempt.phase is Phase.ROLLING_BACK:
            self._finish_going_back(canary, attempt)
        elif not self.world.judge and self.stable is not None:
            self._go_back(canary, Phase.ROLLED_BACK, "nobody judged the rollout: all traffic goes back to stable")
        elif canary != self.target and not self._must_succeed_first(attempt):
            self._give_way(canary)
        elif attempt.phase is Phase.STARTING:
            self._start(canary, attempt)
        else:
            self._shift(canary, attempt)

    def _must_succeed_first(self, attempt: Attempt) -> bool:
        """A first revision that serves already becomes stable before the next one may take its place."""
        return self.stable is None and attempt.phase is Phase.PROMOTING

    def _verify(self, canary: int, attempt: Attempt) -> None:
        seen = self.live.weights.get(canary, 0)
        started = attempt.phase is not Phase.STARTING
        if started and self.world.mesh.settled and self.live.weights and seen == attempt.weight.wanted:
            self.story.verify(canary)

    def _give_way(self, canary: int) -> None:
        if self.target is not None and self.target == self.stable:
            reason = f"the template changed back to that of stable revision {self.stable}"
            self._go_back(canary, Phase.ROLLED_BACK, reason)
        elif self.stable is None:
            self.story.move(canary, Phase.SUPERSEDED, 0, "the template changed again before the first one was ready")
        else:
            self._go_back(canary, Phase.SUPERSEDED, "the template changed again: its traffic goes to stable first")

    def _go_back(self, canary: int, outcome: Phase, reason: str) -> None:
        if self._attempt(canary).weight.wanted == 0 and canary not in self.live.routed:
            self.story.move(canary, outcome, 0, reason)  # it never had traffic, so there is nothing to wait for
        else:
            self.story.move(canary, Phase.ROLLING_BACK, 0, reason, outcome=outcome)

    def _finish_going_back(self, canary: int, attempt: Attempt) -> None:
        if self.world.mesh.settled and canary not in self.live.routed:
            reason = attempt.history[-1].reason if attempt.history else ""
            self.story.move(canary, attempt.outcome or Phase.ROLLED_BACK, 0, reason)

    def _start(self, canary: int, attempt: Attempt) -> None:
        """Pods first. The first revision of a service is routed at once: there is nothing that it could harm."""
        first = self.stable is None
        weight = 100 if first else self._next_weight(0)
        self.pods_ahead = self._needed(weight)
        pods = self.world.pods_of(canary)
        migration = self.world.migrations.get(canary)
        if migration == "failed":
            self.story.move(
                canary, Phase.FAILED, 0, f"the migration job failed: see `kubectl logs job/{self._job(canary)}`"
            )
        elif self._enough(pods):
            if first or (self._may_route(canary) and not self.spec.paused):
                self._step_to(canary, weight, f"{_count(pods.ready)} ready")
        elif self._late(attempt.started_at) and not first:
            self.story.move(
                canary, Phase.FAILED, 0, f"not ready within {self.rollout.progress_deadline}: {_trouble(pods)}"
            )

    def _shift(self, canary: int, attempt: Attempt) -> None:
        """With traffic: the next step when the hold is over and the pods for it are ready."""
        weight = attempt.weight.wanted
        following = self._next_weight(weight)
        pods = self.world.pods_of(canary)
        self.pods_ahead = self._needed(following)
        if self.stable is not None and weight > 0 and pods.ready == 0:
            self._go_back(canary, Phase.ROLLED_BACK, f"no pod of it is ready any more: {_trouble(pods)}")
        elif weight == 100:
            if attempt.verified_since is not None and self._serves(pods):
                self.story.move(canary, Phase.SUCCEEDED, 100, f"revision {canary} is stable")
        elif self.spec.paused:
            if attempt.phase is not Phase.PAUSED:
                self.story.move(canary, Phase.PAUSED, weight, f"paused at {weight} % by spec.paused")
        elif attempt.phase is Phase.PAUSED:
            self.story.move(canary, Phase.SHIFTING, weight, f"goes on at {weight} %")
        elif self._held(attempt):
            if self._enough(pods):
                self._step_to(canary, following, f"{weight} % held for {self.rollout.hold}, {_count(pods.ready)} ready")
            elif self.stable is not None and self._late(attempt.verified_since or attempt.started_at):
                need = f"{pods.ready} of {self.pods_ahead} pods for {following} % ready"
                reason = f"only {need} within {self.rollout.progress_deadline}: {_trouble(pods)}"
                self._go_back(canary, Phase.ROLLED_BACK, reason)

    def _enough(self, pods: Pods) -> bool:
        return pods.ready >= self.pods_ahead and pods.wanted >= self.pods_ahead

    def _serves(self, pods: Pods) -> bool:
        return pods.ready > 0 or self.spec.replicas == 0

    def _step_to(self, canary: int, weight: int, why: str) -> None:
        phase = Phase.PROMOTING if weight == 100 else Phase.SHIFTING
        self.story.move(canary, phase, weight, f"to {weight} %: {why}")

    def _next_weight(self, weight: int) -> int:
        """By weight and not by index, so that steps edited in mid-rollout take effect at once.

        Where stable serves nobody, the next weight is all of it.
        """
        nothing_to_protect = self.stable is not None and self.world.pods_of(self.stable).ready == 0
        steps = [] if self.rollout.strategy == "none" or nothing_to_protect else self.rollout.steps
        return next((s for s in steps if s > weight), 100)

    def _held(self, attempt: Attempt) -> bool:
        return attempt.verified_since is not None and self._past(attempt.verified_since, self.rollout.hold)

    def _late(self, since: str) -> bool:
        return self._past(since, self.rollout.progress_deadline)

    def _past(self, since: str, duration: str) -> bool:
        return self.world.now - moment(since) >= timedelta(seconds=seconds(duration))

    def _may_route(self, canary: int) -> bool:
        return canary in self.live.subsets and self.world.mesh.settled

    def _needed(self, weight: int) -> int:
        stable_wanted = self.world.pods_of(self.stable).wanted
        return capacity.needed(capacity.full(self.spec, stable_wanted), weight)

    def _job(self, canary: int) -> str:
        return f"{self.world.service.metadata.name}-{canary}-migrate"

    # -- what follows for routes, subsets and pods

    def _conclude(self, canary: int | None) -> Decision:
        self.stable = self._stable()
        weights = self._weights(canary)
        decision = Decision(
            stable=self.stable,
            canary=canary,
            routing=Routing(weights, frozenset(weights) | self.live.subsets),
            scales=self._scales(canary),
            statuses=self.story.statuses,
            create=self._next_number() if self._unfrozen() else None,
            migrate=(canary,) if canary is not None and self._migrating(canary) else (),
        )
        decision = leave(self.world, decision, self.story)
        return replace(
            decision,
            statuses=tell(self.world, decision, self.story.statuses),
            events=tuple(self.story.events),
            forget=forgotten(self.world, decision, self.target),
            active=canary is not None and self.stable is not None,
            look_after=LOOK_WHILE_ACTIVE if canary is not None or self._unfinished(decision) else None,
        )

    def _unfinished(self, decision: Decision) -> bool:
        """Whether something is still on its way, so that the next look must not wait for a change."""
        with_pods = {n for n, p in self.world.pods.items() if p.wanted > 0}
        leaving = (self.live.subsets | with_pods) - {decision.stable, decision.canary}
        return bool(leaving or self.world.mesh.waiting_for or decision.create or decision.routing != self.live)

    def _next_number(self) -> int:
        return 1 + max({0, *self.story.statuses, *self.live.subsets, *self.world.pods})

    def _unfrozen(self) -> bool:
        deleting = bool(self.world.service.metadata.deletion_timestamp)
        return self.target is None and self.world.judge and not deleting

    def _weights(self, canary: int | None) -> dict[int, int]:
        wanted = self._attempt(canary).weight.wanted if canary is not None else 0
        return _split(self.stable, canary, wanted) or dict(self.live.weights)

    def _scales(self, canary: int | None) -> dict[int, int]:
        """Replicas of the two that matter; what the others keep is decided where they leave."""
        scales: dict[int, int] = {}
        if self.stable in self.story.statuses:
            scales[self.stable] = self._needed(100) - self._moved(canary)
        if canary is not None and canary != self.stable and not self._migrating(canary):
            attempt = self._attempt(canary)
            if attempt.phase is Phase.ROLLING_BACK:
                scales[canary] = self.world.pods_of(canary).wanted
            else:
                ahead = self.pods_ahead or self._needed(self._next_weight(attempt.weight.wanted))
                scales[canary] = max(ahead, self._floor(canary))
        return scales

    def _moved(self, canary: int | None) -> int:
        """Pods that the canary took over where steps are shares of replicas, since there are no requests to weigh."""
        if canary is None or self.spec.service_ports:
            return 0
        wanted = self._attempt(canary).weight.wanted
        return self._needed(wanted) if wanted else 0

    def _floor(self, canary: int) -> int:
        """Pods that an active canary has are never taken from it."""
        return min(self.world.pods_of(canary).wanted, self._needed(100))

    def _migrating(self, canary: int) -> bool:
        revision = self.world.revision(canary)
        return bool(revision and revision.spec.template.migrate) and self.world.migrations.get(canary) != "done"

    def _delete(self) -> Decision:
        """Back to stable first, so that what nobody has judged gets nothing while the routes go away."""
        canary = self._canary()
        if canary is not None and self.stable is not None:
            attempt = self._attempt(canary)
            self._verify(canary, attempt)
            if self._attempt(canary).phase is Phase.ROLLING_BACK:
                self._finish_going_back(canary, self._attempt(canary))
            else:
                self._go_back(canary, Phase.ABORTED, "the MeshService is being deleted")
            if not self._attempt(canary).phase.active:
                canary = None
        return self._conclude(canary)


def _count(pods: int) -> str:
    return "1 pod" if pods == 1 else f"{pods} pods"


def _trouble(pods: Pods) -> str:
    return pods.problem or f"{pods.ready} of {pods.wanted} pods ready"
