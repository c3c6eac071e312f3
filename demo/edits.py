"""The edits of `orders` that the demo makes, and the way back from them, however it ends."""

import json
import shlex
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from demo.kubectl import DemoError, Kubectl, Object
from seatrial.api.meshservice import MeshService

SERVICE = "orders"
MARK = "RELEASE"  # the variable whose value makes a template of its own
FAULT = "FAULT"
BROKEN = {"FAULTS": "enabled", FAULT: "abort=500;percent=30"}  # what breaks a template by its environment alone
_CHANGED = {"env": (MARK, *BROKEN), "rollout": ("steps", "hold", "analysis")}  # all of the spec that the demo edits


def change(release: str, steps: list[int], hold: str, tolerate: float) -> Object:
    """The good edit: another value of a variable, which is another template, and how it shall be rolled out."""
    points = int(tolerate) if tolerate == int(tolerate) else tolerate
    rollout = {"steps": steps, "hold": hold, "analysis": {"toleratePercentPoints": points}}
    return {"spec": {"env": {MARK: release}, "rollout": rollout}}


def breaking(release: str) -> Object:
    """The bad edit: the same, but what it makes of 30 % of the requests is an error."""
    return {"spec": {"env": {MARK: release, **BROKEN}}}


def way_back(now: Mapping[str, Any], good: Mapping[str, Any]) -> Object:
    """The edit that gives a spec what a good one has, of all that the demo changes; {} where there is no difference."""
    return {"spec": edit} if (edit := _merge_patch(_edited(now), _edited(good))) else {}


def _edited(spec: Mapping[str, Any]) -> Object:
    return {part: {key: spec.get(part, {}).get(key) for key in keys} for part, keys in _CHANGED.items()}


def _merge_patch(was: Any, shall: Any) -> Any:  # noqa: ANN401 - JSON
    """What makes one of the other by RFC 7396, where null takes away."""
    if not (isinstance(was, Mapping) and isinstance(shall, Mapping)):
        return shall
    return {k: _merge_patch(was.get(k), shall.get(k)) for k in {**was, **shall} if was.get(k) != shall.get(k)}


def words(edit: Object) -> list[str]:
    """The arguments of kubectl for an edit."""
    return ["patch", "ms", SERVICE, "--type", "merge", "-p", json.dumps(edit, separators=(",", ":"))]


def typed(kubectl: Kubectl, edit: Object) -> tuple[str, ...]:
    """An edit as a person would type it: one command, a line for each part of the spec."""
    parts = [f'  "{part}": {json.dumps(value)}' for part, value in edit.get("spec", {}).items()]
    first = shlex.join(["kubectl", "-n", kubectl.namespace, *words(edit)[:-1]])
    return f'$ {first} \'{{"spec": {{', *(f"{part}," for part in parts[:-1]), *(f"{part}}}}}'" for part in parts[-1:])


def patch(kubectl: Kubectl, edit: Object) -> None:
    """Make an edit, if there is anything to it."""
    if edit:
        kubectl(*words(edit))


def settled(kubectl: Kubectl) -> MeshService:
    """Wait until `orders` serves and no rollout of it is under way. Evidence may be what one waits for: have load."""

    def fits(found: Object) -> bool:
        service = MeshService.parse(found)
        status = service.status
        ready = any(c.type == "Ready" and c.status == "True" for c in status.conditions)
        seen = status.observed_generation == service.metadata.generation
        return ready and seen and status.stable_revision is not None and status.canary_revision is None

    _mend(kubectl)
    found = kubectl.until("meshservice", SERVICE, fits, within=180)
    if found is None:
        raise DemoError(
            f"{SERVICE} isn't ready, or a rollout of it doesn't come to its end",
            f"kubectl -n {kubectl.namespace} describe ms {SERVICE}, then again: make demo",
        )
    return MeshService.parse(found)


def _mend(kubectl: Kubectl) -> None:
    """Whoever was killed in the middle left a broken template: give it the stable one's environment and no analysis."""
    found = kubectl.get("meshservice", SERVICE)
    if found is None or FAULT not in found["spec"].get("env", {}):
        return
    number = found.get("status", {}).get("stableRevision")
    stable = kubectl.get("revision", f"{SERVICE}-{number}")
    env = stable["spec"]["template"].get("env", {}) if stable is not None else {}
    whole = {name: value for name, value in env.items() if name != FAULT}
    patch(kubectl, way_back(found["spec"], {"env": whole}))


class Mooring:
    """What the demo brings `orders` back to, however it ends: its good template, and its own way to roll out."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl
        self._good: Object = {}

    def __enter__(self) -> Self:
        self._good = self._spec()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.back()

    def keep(self) -> None:
        """Take the present template for the good one."""
        self._good = {**self._good, "env": self._spec().get("env", {})}

    def back(self) -> Object:
        """Go back; tells by which edit."""
        edit = way_back(self._spec(), self._good)
        patch(self._kubectl, edit)
        return edit

    def _spec(self) -> Object:
        found = self._kubectl.get("meshservice", SERVICE)
        if found is None:
            raise DemoError(f"there is no MeshService {SERVICE}", "make demo")
        spec: Object = found["spec"]
        return spec
