"""The values a decision is made of: what was seen (`World`) and what shall be (`Decision`).

Revisions are named by their number throughout. Everything is immutable.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from seatrial.api.meshservice import MeshService
from seatrial.api.names import ANNOTATION_PEERS, ANNOTATION_ROLE, ANNOTATION_SHARE, ANNOTATION_WEIGHT
from seatrial.api.revision import Evidence, Revision, RevisionStatus

Migration = Literal["running", "done", "failed"]


@dataclass(frozen=True)
class Pods:
    """What a revision's Deployment has: `wanted` is its spec.replicas, `problem` says why pods aren't ready.

    `restarts` counts those of the containers of pods that aren't ready, the proxy's left out. `waiting_since` is when
    the first of these was made, or ceased to be ready; empty where none is known to wait.
    """

    wanted: int = 0
    ready: int = 0
    problem: str = ""
    restarts: int = 0
    waiting_since: str = ""


@dataclass(frozen=True)
class Mirror:
    """A revision that gets a copy of so many percent of the safe requests; what it answers is thrown away."""

    revision: int
    percent: int


@dataclass(frozen=True)
class Sticky:
    """Users who stay with the revision that they were drawn to: a cookie names the canary, or the step of their draw.

    A step is named by its weight, which no other step of an attempt has. `earlier` are the weights of the steps before
    the present one. `attempt` is the attempt's number: what was drawn in another one says nothing.
    """

    canary: int
    attempt: int
    earlier: tuple[int, ...] = ()


@dataclass(frozen=True)
class Split:
    """What one route does: parts of its requests by revision, zeros left out, and the copies that it sends."""

    parts: frozenset[tuple[int, int]]
    mirror: Mirror | None = None

    @classmethod
    def of(cls, parts: Mapping[int, int], mirror: Mirror | None = None) -> "Split":
        """Of weights by revision."""
        return cls(frozenset((revision, part) for revision, part in parts.items() if part > 0), mirror)


@dataclass(frozen=True)
class Routing:
    """What the mesh objects say: percent of requests by revision (summing to 100, or empty), and the subsets.

    `marked` is the revision that gets the requests which the rollout's match picks, whatever the weights.
    """

    weights: Mapping[int, int] = field(default_factory=dict)
    subsets: frozenset[int] = frozenset()
    marked: int | None = None
    mirror: Mirror | None = None
    sticky: Sticky | None = None

    def __post_init__(self) -> None:
        if self.weights and sum(self.weights.values()) != 100:
            raise ValueError(f"weights {dict(self.weights)} sum to {sum(self.weights.values())}, not to 100")
        if missing := self.routed - self.subsets:
            raise ValueError(f"revisions {sorted(missing)} are routed without a subset")
        if self.sticky is not None and len(self.shares) != 2:
            raise ValueError(f"users stay with one of two revisions, and weights are {dict(self.weights)}")

    @property
    def shares(self) -> dict[int, int]:
        """Percent of requests by revision, zeros left out."""
        return {revision: weight for revision, weight in sorted(self.weights.items()) if weight > 0}

    @property
    def routed(self) -> frozenset[int]:
        """Revisions that get requests."""
        beside = (self.marked, self.mirror.revision if self.mirror else None)
        return frozenset((*self.shares, *(r for r in beside if r is not None)))

    @property
    def splits(self) -> frozenset[Split]:
        """What the routes do, all routes taken together: each route does one of these, each is done by some route."""
        found = {Split.of(self.shares)}
        if self.marked is not None:
            found.add(Split.of({self.marked: 100}))
        if self.mirror is not None:
            found.add(Split.of(self.shares, self.mirror))
        if self.sticky is not None:
            found |= {Split.of({revision: 100}) for revision in self.shares}
            found |= {Split.of(self.drawn_from(weight)) for weight in self.sticky.earlier}
        return frozenset(found)

    def drawn_from(self, weight: int) -> dict[int, int]:
        """How users are drawn who stayed with stable when the canary had `weight` percent: parts, not percent.

        The canary had v of all users and shall have w, so of those 100 - v it takes w - v; the rest, 100 - w, stays.
        """
        if self.sticky is None:
            raise ValueError("nobody is drawn where nobody stays")
        canary = self.sticky.canary
        return {
            revision: max(share - weight, 0) if revision == canary else share for revision, share in self.shares.items()
        }


@dataclass(frozen=True)
class Mesh:
    """The mesh as it is: objects read back, and what the callers' proxies acknowledged of our last write.

    `waiting_for` names the proxies that haven't acknowledged it yet; `busy` has the requests under way at the callers
    for each subset that was seen busy at one of the last two looks.
    """

    live: Routing = field(default_factory=Routing)
    waiting_for: tuple[str, ...] = ()
    busy: Mapping[int, int] = field(default_factory=dict)

    @property
    def settled(self) -> bool:
        """Every caller's proxy carries what we wrote last."""
        return not self.waiting_for


Finding = Literal["Wait", "Better", "Worse", "Noisy", "NoData", "Suspect"]


@dataclass(frozen=True)
class Verdict:
    """What the evidence of an attempt says by now.

    `allowed` is the greatest weight in percent that it supports, `requests` how many the new revision answered since
    the weight last changed, `evidence` what the status tells of it. `Better` means good enough for some next weight.
    """

    finding: Finding
    reason: str
    allowed: int
    requests: int
    evidence: Evidence


@dataclass(frozen=True)
class World:
    """One MeshService as it is now.

    `service` holds the accepted spec; `template_hash` is the hash of its template with the configs it refers to.
    `judge` is False when nobody judges rollouts (the janitor): what is active then goes back to stable. `verdict` is
    that on the attempt under way, None where there is no analysis or nothing was looked at yet.
    """

    service: MeshService
    template_hash: str
    revisions: tuple[Revision, ...]
    pods: Mapping[int, Pods]
    mesh: Mesh
    now: datetime
    migrations: Mapping[int, Migration] = field(default_factory=dict)
    judge: bool = True
    verdict: Verdict | None = None

    def revision(self, number: int | None) -> Revision | None:
        """The Revision of that number, if it is there."""
        return next((r for r in self.revisions if r.spec.number == number), None)

    def pods_of(self, number: int | None) -> Pods:
        """Its pods; nothing at all where it has no Deployment."""
        return self.pods.get(number, Pods()) if number is not None else Pods()


@dataclass(frozen=True)
class PodShare:
    """What a pod is told of its revision: `role` is stable, canary or kept, `weight` its part of what it could do.

    In percent; a pod that has none takes no work that doesn't come by request. Who counts what all have taken needs
    another figure, and is told it too: the `share` of all work that the whole revision shall do, by so many `peers`.
    """

    role: str
    weight: int = 0
    share: int = field(default=0, compare=False)
    peers: int = field(default=0, compare=False)

    @property
    def annotations(self) -> dict[str, str]:
        """As the pod's downward API shows it."""
        told = {ANNOTATION_ROLE: self.role, ANNOTATION_WEIGHT: str(self.weight)}
        if self.peers:
            told |= {ANNOTATION_SHARE: str(self.share), ANNOTATION_PEERS: str(self.peers)}
        return told


@dataclass(frozen=True)
class Event:
    """A Kubernetes Event on the Revision (or on the MeshService where `revision` is None)."""

    reason: str
    message: str
    warning: bool = False
    revision: int | None = None


@dataclass(frozen=True)
class Decision:
    """What shall be, as one safe move from the world it was made from: all of it may be written in one pass.

    `create` is the number of the revision to freeze from the present template; `scales` has the replicas of every
    revision whose Deployment shall exist; `migrate` the revisions whose migration job shall exist; `statuses` the
    Revision statuses; `shares` what the pods of each revision are told; `forget` the revisions to delete with all that
    is theirs; `active` whether a rollout is under way that deletion must wait for; `look_after` the seconds until the
    next look, None to wait for a change.
    """

    stable: int | None
    canary: int | None
    routing: Routing
    scales: Mapping[int, int]
    statuses: Mapping[int, RevisionStatus]
    shares: Mapping[int, PodShare] = field(default_factory=dict)
    create: int | None = None
    migrate: tuple[int, ...] = ()
    forget: tuple[int, ...] = ()
    events: tuple[Event, ...] = ()
    look_after: float | None = None
    active: bool = False


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds, as statuses hold it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(stamped: str) -> datetime:
    """The inverse of `stamp`; also reads whole seconds."""
    return datetime.fromisoformat(stamped)
