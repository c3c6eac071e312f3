"""A MeshService with its revisions, as they were read: the value that every screen and every verb starts from."""

from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from seatrial.api.base import Model, ObjectMeta
from seatrial.api.meshservice import MeshServiceSpec, MeshServiceStatus
from seatrial.api.names import ANNOTATION_RESTART
from seatrial.api.revision import Attempt, Revision, Template, template_of
from seatrial.api.rollouts import Rollout
from seatrial.kube.client import Object
from seatrial.rollout.helm import stable_of

_NOT_SHOWN = {"status": {"attempts": {"__all__": {"evidence": {"checkpoint"}}}}}


@dataclass(frozen=True)
class Tried:
    """One attempt, and the revision that it was made with."""

    revision: Revision
    attempt: Attempt

    @property
    def number(self) -> int:
        """Of the revision."""
        return self.revision.spec.number


@dataclass(frozen=True)
class Seen:
    """A MeshService. What isn't accepted may have any spec: it is None then, and its steps are read if they can be."""

    metadata: ObjectMeta
    status: MeshServiceStatus
    rollout: Rollout
    paused: bool
    revisions: tuple[Revision, ...] = ()
    spec: MeshServiceSpec | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return (self.metadata.namespace, self.metadata.name)

    @property
    def name(self) -> str:
        """Of the service."""
        return self.metadata.name

    @property
    def template(self) -> Template | None:
        """What the spec asks for at present."""
        if self.spec is None:
            return None
        return template_of(self.spec, self.metadata.annotations.get(ANNOTATION_RESTART, ""))

    @property
    def attempts(self) -> tuple[Tried, ...]:
        """Of all revisions, in the order in which they began."""
        tried = [Tried(r, a) for r in self.revisions for a in r.status.attempts]
        return tuple(sorted(tried, key=lambda t: (t.attempt.number, t.number)))

    @property
    def newest(self) -> Tried | None:
        """The attempt that began last."""
        return self.attempts[-1] if self.attempts else None

    @property
    def active(self) -> Tried | None:
        """The attempt that is under way."""
        return next((t for t in self.attempts if t.attempt.phase.active), None)

    @property
    def proven(self) -> int | None:
        """The revision that succeeded last: known from the attempts before the service's status tells it."""
        return self.served()

    def served(self, *, besides: int | None = None) -> int | None:
        """The revision that succeeded last, `besides` left out."""
        return stable_of({r.spec.number: r.status for r in self.revisions}, besides=besides)

    def revision(self, number: int | None) -> Revision | None:
        """The revision of that number, if it is there."""
        return next((r for r in self.revisions if r.spec.number == number), None)

    def data(self) -> dict[str, Any]:
        """For ``--output``."""
        return {
            "namespace": self.metadata.namespace,
            "name": self.metadata.name,
            "paused": self.paused,
            "steps": list(self.rollout.steps),
            "status": self.status.model_copy(update={"accepted_spec": None}).dump(),
            "revisions": [
                {"name": r.metadata.name, "number": r.spec.number, "image": r.spec.template.image} | dumped(r)["status"]
                for r in self.revisions
            ],
        }


def dumped(revision: Revision) -> dict[str, Any]:
    """A Revision as JSON data, without what is of use to the operator alone."""
    return revision.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=_NOT_SHOWN)


def seen(obj: Object, revisions: list[Revision]) -> Seen:
    """What is there to show of a MeshService, whatever state it is in."""
    metadata = ObjectMeta.parse(obj["metadata"])
    spec = obj.get("spec") or {}
    own = [r for r in revisions if (r.metadata.namespace, r.spec.service) == (metadata.namespace, metadata.name)]
    return Seen(
        metadata=metadata,
        status=MeshServiceStatus.parse(obj.get("status") or {}),
        rollout=_readable(Rollout, spec.get("rollout")) or Rollout(),
        paused=spec.get("paused") is True,
        revisions=tuple(sorted(own, key=lambda r: r.spec.number)),
        spec=_readable(MeshServiceSpec, spec),
    )


M = TypeVar("M", bound=Model)


def _readable(model: type[M], data: object) -> M | None:
    try:
        return model.parse(data or {})
    except ValidationError:
        return None
