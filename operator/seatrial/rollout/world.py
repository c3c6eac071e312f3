"""The values a decision is made of: what was seen (`World`) and what shall be (`Decision`).

Revisions are named by their number throughout. Everything is immutable.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from seatrial.api.meshservice import MeshService
from seatrial.api.revision import Revision, RevisionStatus

Migration = Literal["running", "done", "failed"]


@dataclass(frozen=True)
class Pods:
    """What a revision's Deployment has: `wanted` is its spec.replicas, `problem` says why pods aren't ready."""

    wanted: int = 0
    ready: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Routing:
    """What the mesh objects say: percent of requests by revision (summing to 100, or empty), and the subsets."""

    weights: Mapping[int, int] = field(default_factory=dict)
    subsets: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if self.weights and sum(self.weights.values()) != 100:
            raise ValueError(f"weights {dict(self.weights)} sum to {sum(self.weights.values())}, not to 100")
        if missing := self.routed - self.subsets:
            raise ValueError(f"revisions {sorted(missing)} are routed without a subset")

    @property
    def routed(self) -> frozenset[int]:
        """Revisions that get requests."""
        return frozenset(r for r, w in self.weights.items() if w > 0)


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


@dataclass(frozen=True)
class World:
    """One MeshService as it is now.

    `service` holds the accepted spec; `template_hash` is the hash of its template with the configs it refers to.
    `judge` is False when nobody judges rollouts (the janitor): what is active then goes back to stable.
    """

    service: MeshService
    template_hash: str
    revisions: tuple[Revision, ...]
    pods: Mapping[int, Pods]
    mesh: Mesh
    now: datetime
    migrations: Mapping[int, Migration] = field(default_factory=dict)
    judge: bool = True

    def revision(self, number: int | None) -> Revision | None:
        """The Revision of that number, if it is there."""
        return next((r for r in self.revisions if r.spec.number == number), None)

    def pods_of(self, number: int | None) -> Pods:
        """Its pods; nothing at all where it has no Deployment."""
        return self.pods.get(number, Pods()) if number is not None else Pods()


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
    Revision statuses; `forget` the revisions to delete with all that is theirs; `active` whether a rollout is under way
    that deletion must wait for; `look_after` the seconds until the next look, None to wait for a change.
    """

    stable: int | None
    canary: int | None
    routing: Routing
    scales: Mapping[int, int]
    statuses: Mapping[int, RevisionStatus]
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
