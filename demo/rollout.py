"""A new revision of `orders`, followed from the edit that makes it until it is decided."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from demo.edits import MARK, SERVICE
from demo.kubectl import DemoError, Kubectl, Object
from seatrial.api.revision import Attempt, Phase, Revision


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
    def attempt(self) -> Attempt | None:
        """Its newest attempt."""
        return self.revision.status.attempt if self.revision is not None else None

    @property
    def over(self) -> bool:
        """Whether its attempt was decided."""
        return self.attempt is not None and not self.attempt.phase.active

    @property
    def succeeded(self) -> bool:
        """Whether it is stable now."""
        return self.attempt is not None and self.attempt.phase is Phase.SUCCEEDED


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
