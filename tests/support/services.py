"""A MeshService as its user handles it: a manifest that is changed and applied, a status that is read.

The pods run the shop's `catalog`, which answers alone, with the chassis' fault knobs switched on.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from support.kubectl import Kubectl, Object
from support.waiting import eventually
from support.watching import Watch

API_VERSION = "seatrial.dev/v1alpha1"
READY_WITHIN = 60.0
ROLLED_OUT_WITHIN = 90.0
LOOK = 0.5  # seconds between two; each starts a kubectl, which those who are waited for pay

Json = dict[str, Any]


@dataclass
class Service:
    """One MeshService. `spec` is what was applied last; `RELEASE` in its env tells its templates apart."""

    kubectl: Kubectl
    name: str
    spec: Json = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        """Where it is."""
        return self.kubectl.namespace

    @property
    def host(self) -> str:
        """Host on the ingress gateway."""
        return f"{self.namespace}.localhost"

    @property
    def manifest(self) -> Json:
        """What is applied."""
        metadata = {"name": self.name, "namespace": self.namespace}
        return {"apiVersion": API_VERSION, "kind": "MeshService", "metadata": metadata, "spec": self.spec}

    def changed(self, **fields: Any) -> "Service":
        """The same service with other fields: maps are merged, everything else is replaced, None takes a field out."""
        return Service(self.kubectl, self.name, merged(self.spec, fields))

    def apply(self, **fields: Any) -> None:
        """Change the spec and apply it."""
        self.spec = merged(self.spec, fields)
        self.kubectl.apply(self.manifest)

    def release(self, name: str) -> None:
        """Apply another template: the one of that name."""
        self.apply(env={"RELEASE": name})

    def the(self) -> Object:
        """The object as it is now."""
        return self.kubectl.the("ms", self.name)

    def status(self) -> Json:
        """Its status; empty before the operator saw it."""
        status: Json = self.the().get("status", {})
        return status

    def condition(self, kind: str) -> Json:
        """One condition as it is about the present spec; empty until the operator has told it."""
        seen = self.the()
        return condition_of(seen, kind)

    def is_ready(self) -> Json:
        """The condition Ready where it is true, else empty."""
        ready = self.condition("Ready")
        return ready if ready.get("status") == "True" else {}

    def await_ready(self, within: float = READY_WITHIN) -> "Service":
        """Wait until it serves."""
        eventually(self.is_ready, within=within, every=LOOK, what=f"{self.name} is Ready")
        return self

    def revision(self, number: int) -> Object:
        """A Revision that must be there."""
        return self.kubectl.the("rev", f"{self.name}-{number}")

    def attempt(self, number: int) -> Json:
        """Newest attempt of a revision; empty where it has none yet, or isn't there."""
        found = self.kubectl.get("rev", f"{self.name}-{number}")
        return attempt_of(found) if found else {}

    def await_phase(self, number: int, phase: str, within: float = ROLLED_OUT_WITHIN) -> Json:
        """Wait until the newest attempt of a revision is in a phase, and give the attempt."""

        def arrived() -> Json:
            attempt = self.attempt(number)
            assert attempt.get("phase") == phase, f"{attempt.get('phase')}: {last_word(attempt)}"
            return attempt

        return eventually(arrived, within=within, every=LOOK, what=f"{self.name}-{number} is {phase}")

    def await_weight(self, number: int, percent: int, within: float = ROLLED_OUT_WITHIN) -> Json:
        """Wait until the callers' proxies carry a revision's weight, and give the attempt."""

        def carried() -> Json:
            attempt = self.attempt(number)
            weight = attempt.get("weight", {})
            assert weight.get("wanted") == percent == weight.get("verified"), f"{weight}: {last_word(attempt)}"
            return attempt

        return eventually(carried, within=within, every=LOOK, what=f"{self.name}-{number} has {percent} %")

    def await_stable(self, number: int, within: float = ROLLED_OUT_WITHIN) -> Json:
        """Wait until a revision is stable and nothing is under way any more, and give the status."""

        def settled() -> Json:
            seen = self.the()
            status: Json = seen.get("status", {})
            told = f"{status.get('phase')}, stable {status.get('stableRevision')}, {status.get('weight')}"
            assert status.get("observedGeneration") == seen["metadata"]["generation"], f"not seen yet; {told}"
            assert status.get("stableRevision") == number, told
            assert status.get("canaryRevision") is None, told
            assert condition_of(seen, "Ready").get("status") == "True", condition_of(seen, "Ready")
            return status

        return eventually(settled, within=within, every=LOOK, what=f"{self.name}-{number} is stable")

    def pods(self, number: int | None = None) -> list[Object]:
        """Its pods, or those of one revision, that aren't being deleted."""
        selector = f"seatrial.dev/service={self.name}"
        if number is not None:
            selector += f",seatrial.dev/revision={number}"
        return [p for p in self.kubectl.list("pods", selector) if "deletionTimestamp" not in p["metadata"]]

    def pod(self, number: int = 1) -> str:
        """Name of a ready pod of a revision that must have one."""
        found = [p for p in self.pods(number) if is_ready(p)]
        assert found, f"{self.name}-{number} has no ready pod"
        return name_of(found[0])

    def weights(self) -> dict[str, int]:
        """Percent by subset, as the VirtualService says that the ingress gateway follows."""
        return weights_of(self.kubectl.the("virtualservice", f"{self.name}-expose"))

    @contextmanager
    def watched(self, number: int) -> Iterator[Watch]:
        """Every state that a Revision goes through; it needn't be there yet."""
        with Watch(self.kubectl, "rev", f"{self.name}-{number}") as watch:
            yield watch


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> Json:
    """`base` with `change` laid over it, as a JSON merge patch does."""
    result = deepcopy(dict(base))
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], value)
        else:
            result[key] = deepcopy(value)
    return result


def name_of(thing: Object) -> str:
    """Name of an object."""
    name: str = thing["metadata"]["name"]
    return name


def uid_of(thing: Object) -> str:
    """UID of an object: the same name made anew has another one."""
    uid: str = thing["metadata"]["uid"]
    return uid


def is_ready(pod: Object) -> bool:
    """Whether a pod may get requests."""
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))


def condition_of(thing: Object, kind: str) -> Json:
    """One condition, where it is about the present generation; else empty."""
    for condition in thing.get("status", {}).get("conditions", []):
        if condition["type"] == kind and condition.get("observedGeneration") == thing["metadata"]["generation"]:
            found: Json = condition
            return found
    return {}


def attempt_of(revision: Object) -> Json:
    """Newest attempt of a Revision; empty where it has none yet."""
    attempts = revision.get("status", {}).get("attempts") or [{}]
    newest: Json = attempts[-1]
    return newest


def phase_of(revision: Object) -> str:
    """Phase of the newest attempt."""
    phase: str = attempt_of(revision).get("phase", "")
    return phase


def carries(weight: int) -> Callable[[Object], bool]:
    """Whether a Revision's weight is verified: all callers' proxies carry it, or its pods have the share."""
    return lambda revision: bool(attempt_of(revision).get("weight", {}).get("verified") == weight)


def counted(revision: Object) -> int:
    """Requests of the new revision that its evidence counts."""
    evidence = attempt_of(revision).get("evidence") or {}
    return next((int(s["canary"]["total"]) for s in evidence.get("slos", []) if s["name"] == "errors"), 0)


def last_word(attempt: Json) -> str:
    """What an attempt's history said last."""
    history = attempt.get("history") or [{}]
    word: str = history[-1].get("reason", "")
    return word


def weights_of(virtual_service: Object) -> dict[str, int]:
    """Percent by subset of each route that has destinations; all routes must agree."""
    found: list[dict[str, int]] = []
    for route in virtual_service["spec"].get("http", []):
        if "route" in route:
            ends = route["route"]
            found.append({e["destination"]["subset"]: e.get("weight", 100 if len(ends) == 1 else 0) for e in ends})
    assert found, f"{name_of(virtual_service)} routes nowhere"
    assert all(f == found[0] for f in found), f"{name_of(virtual_service)} has routes with different weights: {found}"
    return {subset: weight for subset, weight in found[0].items() if weight}


def unix(stamped: str) -> float:
    """Unix time of an RFC 3339 time."""
    return datetime.fromisoformat(stamped).timestamp()
