"""One decision while it is made: what was seen, what was told so far, and the questions that all its parts ask."""

from collections.abc import Mapping
from datetime import timedelta

from seatrial.api.base import seconds
from seatrial.api.revision import Attempt, Phase, RevisionStatus
from seatrial.rollout import capacity, steps
from seatrial.rollout.clock import not_ahead
from seatrial.rollout.story import Story
from seatrial.rollout.world import Mirror, Pods, Routing, Sticky, World, moment

GONE_AFTER = "30s"  # without a ready pod of stable, after which there is nothing to protect by steps

Extras = tuple[int | None, Mirror | None, Sticky | None]


def stable_of(statuses: Mapping[int, RevisionStatus], *, besides: int | None = None) -> int | None:
    """The revision that succeeded last, by attempt number, never by time; `besides` is left out."""
    succeeded = [
        (a.number, n) for n, s in statuses.items() for a in s.attempts if a.phase is Phase.SUCCEEDED and n != besides
    ]
    return max(succeeded)[1] if succeeded else None


def active_of(statuses: Mapping[int, RevisionStatus]) -> int | None:
    """The revision whose attempt is under way. There is at most one."""
    return next((n for n, s in statuses.items() if s.attempt is not None and s.attempt.phase.active), None)


class Helm:
    """The state of one decision while it is made."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.spec = world.service.spec
        self.rollout = self.spec.rollout
        self.story = Story(world.now, {r.spec.number: not_ahead(r.status, world.now) for r in world.revisions})
        self.target = next((r.spec.number for r in world.revisions if r.spec.hash == world.template_hash), None)
        self.live = world.mesh.live
        self.stable = self.find_stable()
        self.judged: int | None = None  # the revision that the world's verdict is about
        self.pods_ahead = 0  # the canary's replicas: for its weight, and already for the next one

    def find_stable(self) -> int | None:
        """The one that succeeded last; where none has, what has the traffic and isn't on trial.

        That is a first one that was superseded, or one whose Revision somebody deleted.
        """
        routed = {n: w for n, w in self.live.weights.items() if not self._on_trial(n)}
        heaviest = max(routed, key=lambda n: (routed[n], n), default=None)
        return stable_of(self.story.statuses) or heaviest

    def _on_trial(self, number: int) -> bool:
        attempt = self.story.attempt(number)
        return attempt is not None and attempt.phase.active

    def canary(self) -> int | None:
        """The revision whose attempt is under way."""
        return active_of(self.story.statuses)

    def attempt(self, number: int) -> Attempt:
        """The newest attempt of a revision that has one."""
        attempt = self.story.attempt(number)
        if attempt is None:
            raise LookupError(f"revision {number} has no attempt")
        return attempt

    def beside(self) -> str:
        """How a new attempt begins, in words."""
        return "as the first one" if self.stable is None else f"beside stable revision {self.stable}"

    def go_back(self, canary: int, outcome: Phase, reason: str) -> None:
        """Take all traffic from it."""
        if self.attempt(canary).weight.wanted == 0 and canary not in self.live.routed:
            self.story.move(canary, outcome, 0, reason)  # it never had traffic, so there is nothing to wait for
        else:
            self.story.move(canary, Phase.ROLLING_BACK, 0, reason, outcome=outcome)

    def verify(self, canary: int, attempt: Attempt) -> None:
        """Note that the callers' proxies carry what was asked for, where they do."""
        seen = self.live.weights.get(canary, 0)
        started = attempt.phase is not Phase.STARTING
        there = self.live.weights and seen == attempt.weight.wanted and self.extras(canary) == _extras_of(self.live)
        if started and there and self.world.mesh.settled and self.has_its_share(canary, attempt):
            self.story.verify(canary)

    def has_its_share(self, canary: int, attempt: Attempt) -> bool:
        """Whether its weight is true. Without routes it is a share of replicas: true once so many are ready."""
        if self.spec.service_ports:
            return True
        return self.world.pods_of(canary).ready >= self.needed(attempt.weight.wanted or 1)

    def finish_going_back(self, canary: int, attempt: Attempt) -> None:
        """End the attempt once no caller can send it anything."""
        if self.world.mesh.settled and canary not in self.live.routed:
            reason = attempt.history[-1].reason if attempt.history else ""
            self.story.move(canary, attempt.outcome or Phase.ROLLED_BACK, 0, reason)

    def extras(self, canary: int | None) -> Extras:
        """Which requests go to the canary beside its weight, or stay with it."""
        attempt = self.story.attempt(canary) if canary is not None else None
        running = {Phase.SHIFTING, Phase.PAUSED}
        if canary is None or attempt is None or self.stable is None or attempt.phase not in running:
            return None, None, None
        strategy, weight = self.rollout.strategy, attempt.weight.wanted
        unseen = weight == 0 and canary in self.live.subsets
        marked = canary if unseen and strategy in {"blueGreen", "abTest"} else None
        mirror = Mirror(canary, self.rollout.mirror_percent) if unseen and strategy == "mirror" else None
        sticky = None
        known_users = self.rollout.affinity is not None and self.spec.expose  # it may have lost its places to another
        if known_users and strategy == "canary" and 0 < weight < 100:
            earlier = sorted({entry.weight for entry in attempt.history if 0 < entry.weight < weight})
            sticky = Sticky(canary, attempt.number, tuple(earlier))
        return marked, mirror, sticky

    def following(self, attempt: Attempt, weight: int) -> int:
        """The weight after `weight`. Where stable serves nobody, or there is none yet, it is all of it."""
        if self.stable is None or self._is_gone(self.world.pods_of(self.stable)):
            return 100
        return steps.following(self.rollout, attempt, weight, self.world.verdict)

    def _is_gone(self, pods: Pods) -> bool:
        """Whether stable serves nobody, and not only while its pod is moved to another node."""
        never_served = stable_of(self.story.statuses) is None
        late = bool(pods.waiting_since) and self.late(pods.waiting_since, GONE_AFTER)
        return pods.ready == 0 and (pods.wanted == 0 or never_served or late)

    def late(self, since: str, duration: str) -> bool:
        """Whether so much time has passed."""
        return self.world.now - moment(since) >= timedelta(seconds=seconds(duration))

    def needed(self, weight: int) -> int:
        """Replicas for so many percent of the traffic."""
        return capacity.needed(self.whole, weight)

    @property
    def whole(self) -> int:
        """Replicas for all of it."""
        return capacity.full(self.spec, self.world.pods_of(self.stable).wanted)

    def prepared_for(self, weight: int, following: int) -> int:
        """The weight for which a canary with `weight` has pods: `following`, so that no step waits for pods.

        Without routes each pod works as soon as it is there, so there are never more than for its share.
        """
        return following if self.spec.service_ports or not weight else weight


def _extras_of(routing: Routing) -> Extras:
    return routing.marked, routing.mirror, routing.sticky
