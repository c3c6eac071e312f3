"""What is kept of an object that a watch shows: memory is for what passes read."""

import sys
from collections.abc import Mapping
from typing import Any

from seatrial.api.names import ANNOTATION_PEERS, ANNOTATION_ROLE, ANNOTATION_SHARE, ANNOTATION_WEIGHT

Object = dict[str, Any]

_META = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "labels",
    "annotations",
    "finalizers",
    "ownerReferences",
    "creationTimestamp",
    "deletionTimestamp",
)
_TOLD = frozenset({ANNOTATION_ROLE, ANNOTATION_WEIGHT, ANNOTATION_SHARE, ANNOTATION_PEERS})
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def slim(obj: Mapping[str, Any]) -> Object:
    """The object without managedFields and kubectl's copy of it."""
    kept: Object = _compact({k: v for k, v in obj.items() if k != "metadata"} | {"metadata": metadata(obj)})
    return kept


def metadata(obj: Mapping[str, Any]) -> Object:
    """The part of the metadata that is ever read."""
    meta = obj["metadata"]
    kept = {k: meta[k] for k in _META if k in meta}
    if _APPLIED in (kept.get("annotations") or {}):
        kept["annotations"] = {k: v for k, v in kept["annotations"].items() if k != _APPLIED}
    return kept


def slim_pod(obj: Mapping[str, Any]) -> Object:
    """Where a pod is, how its containers are, and what it was told of its revision."""
    status = obj.get("status") or {}
    kept = {"name", "namespace", "uid", "resourceVersion", "labels", "creationTimestamp", "deletionTimestamp"}
    meta = {k: v for k, v in metadata(obj).items() if k in kept}
    annotations = obj["metadata"].get("annotations") or {}
    pod = {
        "kind": "Pod",
        "metadata": meta | {"annotations": {k: v for k, v in annotations.items() if k in _TOLD}},
        "status": {
            "phase": status.get("phase"),
            "podIP": status.get("podIP"),
            "reason": status.get("reason"),
            "message": status.get("message"),
            "conditions": [c for c in status.get("conditions") or () if c.get("type") in {"Ready", "PodScheduled"}],
            "containerStatuses": [_container(c) for c in status.get("containerStatuses") or ()],
            "initContainerStatuses": [_container(c) for c in status.get("initContainerStatuses") or ()],
        },
    }
    compact: Object = _compact(pod)
    return compact


def _container(status: Mapping[str, Any]) -> Object:
    return {k: status.get(k) for k in ("name", "image", "ready", "started", "restartCount", "state", "lastState")}


def slim_config(obj: Mapping[str, Any]) -> Object:
    """That a ConfigMap is there, and at which version: its content is read when it is needed."""
    meta = metadata(obj)
    kept = {"name", "namespace", "uid", "resourceVersion", "labels", "deletionTimestamp"}
    return {"kind": "ConfigMap", "metadata": {k: v for k, v in meta.items() if k in kept}}


def _compact(value: Any) -> Any:  # noqa: ANN401 # JSON
    """The same with each field's name once in memory: a parser of JSON makes it anew for every object."""
    if isinstance(value, Mapping):
        return {sys.intern(name): _compact(inner) for name, inner in value.items()}
    return [_compact(inner) for inner in value] if isinstance(value, list) else value
