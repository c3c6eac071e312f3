"""A pod spec as the API server stores it: what we render must equal what is read back, or each look would find a drift.

Typed fields that are empty are dropped there, and quantities have one spelling. A user's patch may hold both.
"""

from collections.abc import Mapping
from typing import Any

from seatrial.render.quantities import canonical

# Fields without a pointer behind them: the value here and its absence are the same to Kubernetes.
_DROPPED: dict[str, object] = {
    "hostIPC": False,
    "hostNetwork": False,
    "hostPID": False,
    "initialDelaySeconds": 0,
    "prefix": "",
    "readOnly": False,
    "stdin": False,
    "stdinOnce": False,
    "subPath": "",
    "tty": False,
    "value": "",
}
_AMOUNTS = ("requests", "limits")


def stored(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The pod spec without what the API server drops; the argument stays as it is."""
    result: dict[str, Any] = _value(spec)
    for container in [*result.get("containers", []), *result.get("initContainers", [])]:
        resources = container.get("resources", {})
        for kind in _AMOUNTS:
            if isinstance(resources.get(kind), dict):
                resources[kind] = {name: canonical(amount) for name, amount in resources[kind].items()}
        for variable in container.get("env", []):
            _quantity((variable.get("valueFrom") or {}).get("resourceFieldRef"), "divisor")
    for volume in result.get("volumes", []):
        _quantity(volume.get("emptyDir"), "sizeLimit")
    return result


def _quantity(holder: Any, key: str) -> None:  # noqa: ANN401 # a user's podTemplate may hold anything
    if isinstance(holder, dict) and key in holder:
        holder[key] = canonical(holder[key])


def _value(value: Any) -> Any:  # noqa: ANN401 # JSON has no narrower type
    if isinstance(value, Mapping):
        return {k: _value(v) for k, v in value.items() if not _empty(k, v)}
    return [_value(v) for v in value] if isinstance(value, list) else value


def _empty(key: str, value: object) -> bool:
    return value == [] or (key in _DROPPED and type(value) is type(_DROPPED[key]) and value == _DROPPED[key])
