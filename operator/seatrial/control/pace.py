"""When a status is written: at once where something happened, else now and then.

Each look at a rollout changes some figure: requests counted, pods that are ready, proxies that are waited for. Each
write of a status costs the API server some ten milliseconds of a core, and all who watch some more. So the rule is:
what somebody decides by is written at once, be it the next process, `kubectl wait` or a user: phases, weights, times,
answers to verbs, conditions that turn, generations, and whatever an Event tells. What is only read waits until `APART`
seconds after the last write of the object, and is written as it is by then. So `kubectl get rev -w` and `seatrial
watch` move that often where anything does. Where more than twenty-five rollouts are under way they take turns, so that
all of them together write no more often than those would.
"""

from collections.abc import Callable, Mapping
from typing import Any

APART = 2.5  # seconds
_EACH = 0.1  # seconds of `APART` for each rollout under way

Status = Mapping[str, Any]

_READ = frozenset({"message", "brief", "replicas", "readyReplicas"})
_TOLD_BY_ATTEMPTS = "weight"  # of a Revision: an attempt has its own, which counts


def apart(rollouts: int) -> float:
    """Seconds between two writes of what is only read, while so many rollouts are under way."""
    return max(APART, _EACH * rollouts)


class Pace:
    """Knows when each object's status was written last, by this process: another one writes at once."""

    def __init__(self, apart: Callable[[], float] = lambda: APART) -> None:
        self._apart = apart
        self._wrote: dict[str, float] = {}  # by uid

    def wait(self, uid: str, before: Status, after: Status, now: float) -> float:
        """Seconds until `after` is to be written over `before`: none where it says what somebody decides by."""
        if decisive(before) != decisive(after):
            return 0.0
        return max(0.0, self._wrote.get(uid, float("-inf")) + self._apart() - now)

    def wrote(self, uid: str, now: float) -> None:
        """A status was written."""
        self._wrote = {known: at for known, at in self._wrote.items() if now - at < self._apart()} | {uid: now}


def decisive(status: Status) -> dict[str, Any]:
    """A status of a Revision or MeshService without what is only read."""
    kept = {field: value for field, value in status.items() if field not in _READ}
    if attempts := kept.get("attempts"):
        kept.pop(_TOLD_BY_ATTEMPTS, None)
        newest = {field: value for field, value in attempts[-1].items() if field != "evidence"}
        kept["attempts"] = [*attempts[:-1], newest]
    if conditions := kept.get("conditions"):
        kept["conditions"] = [{k: v for k, v in c.items() if k != "message"} for c in conditions]
    return kept
