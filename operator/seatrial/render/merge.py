"""Strategic merge patch of a pod: the way ``spec.podTemplate`` is laid over what Seatrial renders.

It follows Kubernetes' own rules for a PodTemplateSpec: maps merge, ``null`` deletes, lists of things that have a name
merge by that name, other lists (tolerations, command, args) are replaced. Directives: ``$patch: delete | replace``,
and ``$retainKeys``. Beyond kubectl's rules, the members of a union replace each other, so that a patched probe needs
no ``httpGet: null`` beside its ``exec``.
"""

from collections.abc import Mapping
from typing import Any

_CONTAINER = ("containers", "initContainers")
_PROBES = ("startupProbe", "livenessProbe", "readinessProbe", "preStop", "postStart")
_HANDLERS = frozenset({"exec", "httpGet", "tcpSocket", "grpc", "sleep"})

# Patch merge keys of the PodSpec, as the API's OpenAPI document has them. Any other list is replaced as a whole.
MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "resourceClaims": "name",
    "schedulingGates": "name",
    **{f"{kind}.env": "name" for kind in _CONTAINER},
    **{f"{kind}.ports": "containerPort" for kind in _CONTAINER},
    **{f"{kind}.volumeMounts": "mountPath" for kind in _CONTAINER},
    **{f"{kind}.volumeDevices": "devicePath" for kind in _CONTAINER},
}


def merged(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """A pod spec (or metadata) with the patch laid over it; neither argument is changed."""
    result: dict[str, Any] = _maps(base, patch, "")
    return result


def _maps(base: Mapping[str, Any], patch: Mapping[str, Any], path: str) -> dict[str, Any]:
    if patch.get("$patch") == "replace":
        return {k: _plain(v) for k, v in patch.items() if not k.startswith("$") and v is not None}
    if patch.get("$patch") == "delete":
        return {}
    retained = patch.get("$retainKeys")
    result = {k: v for k, v in base.items() if retained is None or k in retained}
    for rival in _rivals(patch, path):
        result.pop(rival, None)
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _value(result.get(key), value, f"{path}.{key}" if path else key)
    return result


def _value(base: Any, patch: Any, path: str) -> Any:  # noqa: ANN401 # JSON has no narrower type
    if isinstance(patch, Mapping):
        return _maps(base if isinstance(base, Mapping) else {}, patch, path)
    if isinstance(patch, list) and path in MERGE_KEYS and all(isinstance(item, Mapping) for item in patch):
        return _lists(base if isinstance(base, list) else [], patch, path)
    if isinstance(patch, list):
        return [_plain(item) for item in patch]
    return patch


def _lists(base: list[Any], patch: list[Any], path: str) -> list[Any]:
    """Items with a known key change in place, new ones follow in the patch's order."""
    key = MERGE_KEYS[path]
    if any(_is_directive(item) for item in patch):
        return [_plain(item) for item in patch if not _is_directive(item)]
    result = {item.get(key): item for item in base}
    for item in patch:
        if item.get("$patch") == "delete":
            result.pop(item.get(key), None)
        else:
            result[item.get(key)] = _maps(result.get(item.get(key), {}), item, path)
    return list(result.values())


def _is_directive(item: Any) -> bool:  # noqa: ANN401 # JSON has no narrower type
    """``- $patch: replace`` alone: the rest of the list takes the place of all that was there."""
    return isinstance(item, Mapping) and dict(item) == {"$patch": "replace"}


def _plain(value: Any) -> Any:  # noqa: ANN401 # JSON has no narrower type
    """The value without directives and without what it deletes."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items() if not k.startswith("$") and v is not None}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value


def _rivals(patch: Mapping[str, Any], path: str) -> frozenset[str]:
    """Members of the union that the patch makes another choice of."""
    chosen = {k for k, v in patch.items() if v is not None and not k.startswith("$")}
    last = path.rpartition(".")[2]
    if last in _PROBES and chosen & _HANDLERS:
        return _HANDLERS - chosen
    if last == "env" and chosen & {"value", "valueFrom"}:
        return frozenset({"value", "valueFrom"}) - chosen
    if path == "volumes" and chosen - {"name"}:
        return _VOLUME_SOURCES - chosen
    return frozenset()


_VOLUME_SOURCES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "hostPath",
        "image",
        "nfs",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
