"""A new revision of `orders`, by an edit of its MeshService, followed until it is over."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from demo.kubectl import DemoError, Kubectl, Object
from seatrial.api.meshservice import MeshService
from seatrial.api.revision import Revision

SERVICE = "orders"
MARK = "RELEASE"  # the variable whose value makes a template of its own


@dataclass
class Following:
    """What is known of the new revision so far, and since when the proxies carried each weight."""

    revision: Revision | None = None
    verified: dict[int, str] = field(default_factory=dict)

    def take(self, revision: Revision) -> None:
        """Take a state in."""
        attempt = revision.status.attempt
        if attempt is not None and attempt.verified_since is not None:
            self.verified.setdefault(attempt.weight.verified, attempt.verified_since)
        self.revision = revision

    @property
    def over(self) -> bool:
        """Whether its attempt was decided."""
        attempt = self.revision.status.attempt if self.revision is not None else None
        return attempt is not None and not attempt.phase.active


def settled(kubectl: Kubectl) -> MeshService:
    """Wait until `orders` serves and no rollout of it is under way."""

    def fits(found: Object) -> bool:
        service = MeshService.parse(found)
        ready = any(c.type == "Ready" and c.status == "True" for c in service.status.conditions)
        return ready and service.status.stable_revision is not None and service.status.canary_revision is None

    found = kubectl.until("meshservice", SERVICE, fits, within=180)
    if found is None:
        raise DemoError(
            f"{SERVICE} isn't ready, or a rollout of it doesn't come to its end",
            f"kubectl -n {kubectl.namespace} describe ms {SERVICE}, then again: make demo",
        )
    return MeshService.parse(found)


def change(release: str, steps: list[int], hold: str) -> Object:
    """The edit: another value of a variable, which is another template, and the steps that it shall take."""
    return {"spec": {"env": {MARK: release}, "rollout": {"steps": steps, "hold": hold}}}


def follow(kubectl: Kubectl, release: str, edit: Callable[[], object], *, within: float) -> Iterator[Following]:
    """Make the edit and follow the revision of that release, about four looks a second; ends when it is decided."""
    following = Following()
    deadline = time.monotonic() + within
    with kubectl.watch("revisions") as watch:
        edit()
        while not following.over:
            if time.monotonic() > deadline:
                said = following.revision.status.message if following.revision is not None else "not begun"
                raise DemoError(
                    f"the rollout isn't over after {within:g} s: {said}",
                    f"see how it stands: kubectl -n {kubectl.namespace} describe ms,rev",
                )
            found = watch.next(0.25)
            if found is not None and _ours(found, release):
                following.take(Revision.parse(found))
            yield following


def _ours(found: Object, release: str) -> bool:
    spec = Revision.parse(found).spec
    return spec.service == SERVICE and spec.template.env.get(MARK) == release
