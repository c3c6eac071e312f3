"""One change of a service under load, from the apply to its end: what users saw, and every state of its Revision."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from loadtests import OpenLoad, Recording
from support.exposure import Exposure, exposure
from support.kubectl import Object
from support.services import Service, attempt_of, unix
from support.traffic import go_on

ENDED_WITHIN = 180.0


@dataclass(frozen=True)
class Sailing:
    """`changed` is the Unix time at which the change was asked for; `seen` are the requests from a bit before on."""

    service: str
    revision: int
    changed: float
    seen: Recording
    states: list[Object]

    @property
    def attempt(self) -> dict[str, Any]:
        """The attempt as it was at last."""
        return attempt_of(self.states[-1])

    @property
    def exposure(self) -> Exposure:
        """What the new revision did to users."""
        return exposure(self.seen, self.service, self.revision, self.changed)

    @property
    def full(self) -> float:
        """Seconds from the change until 100 % was asked for."""
        return next(unix(e["at"]) for e in self.attempt["history"] if e["weight"] == 100) - self.changed


def has_ended(revision: Object) -> bool:
    """Whether its newest attempt has."""
    return bool(attempt_of(revision).get("endedAt"))


def sail(
    service: Service,
    revision: int,
    load: OpenLoad,
    *,
    meanwhile: Callable[[], None] | None = None,
    over: Callable[[Object], bool] = has_ended,
    within: float = ENDED_WITHIN,
    settled: int = 50,
    **fields: Any,
) -> Sailing:
    """Change the service while a load runs; wait until its new revision is so far, and then for `settled` requests."""
    before = load.snapshot().total
    with service.watched(revision) as watch:
        changed = time.time()
        service.apply(**fields)
        if meanwhile is not None:
            meanwhile()
        watch.until(over, within=within, what=f"revision {revision} has ended")
        seen = go_on(load, settled)
    return Sailing(service.name, revision, changed, Recording(seen.requests[before:]), watch.seen)
