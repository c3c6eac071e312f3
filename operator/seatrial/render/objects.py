"""What every rendered object carries: our labels, who owns it, and the hash of what was rendered.

Owners make deletion run backwards without a finalizer: the garbage collector deletes an object when the last of its
owners is gone, so an object that names the objects in front of it as owners beside the MeshService outlives them.
Routes go first, then subsets, then pods, then what pods need. Deleting one of those by hand takes nothing else down:
the MeshService is left.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from seatrial.api.base import API_VERSION
from seatrial.api.meshservice import MeshService
from seatrial.api.names import (
    ANNOTATION_CONTENT,
    ANNOTATION_FENCING,
    LABEL_MANAGED_BY,
    LABEL_NAME,
    LABEL_REVISION,
    LABEL_SERVICE,
    MANAGED_BY,
)

Object = dict[str, Any]
Live = Mapping[tuple[str, str], str]

API_VERSIONS = {
    "AuthorizationPolicy": "security.istio.io/v1",
    "Deployment": "apps/v1",
    "DestinationRule": "networking.istio.io/v1",
    "Gateway": "networking.istio.io/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "Job": "batch/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "PodDisruptionBudget": "policy/v1",
    "Service": "v1",
    "ServiceAccount": "v1",
    "ServiceEntry": "networking.istio.io/v1",
    "Sidecar": "networking.istio.io/v1",
    "VirtualService": "networking.istio.io/v1",
}


def labels_of(service: str, revision: int | None = None) -> dict[str, str]:
    """Labels of an object of a service, or of one of its revisions."""
    labels = {LABEL_NAME: service, LABEL_MANAGED_BY: MANAGED_BY, LABEL_SERVICE: service}
    return labels if revision is None else labels | {LABEL_REVISION: str(revision)}


def owned_by(service: MeshService, *, controller: bool) -> Object:
    """Reference to the MeshService."""
    reference = {
        "apiVersion": API_VERSION,
        "kind": "MeshService",
        "name": service.metadata.name,
        "uid": service.metadata.uid,
        "blockOwnerDeletion": False,
    }
    return reference | {"controller": True} if controller else reference


def after(live: Live, *objects: tuple[str, str]) -> list[Object]:
    """References to those of the objects that exist: what carries them goes after them."""
    return [
        {
            "apiVersion": API_VERSIONS[kind],
            "kind": kind,
            "name": name,
            "uid": live[kind, name],
            "blockOwnerDeletion": False,
        }
        for kind, name in objects
        if (kind, name) in live
    ]


def manifest(  # noqa: PLR0913 # the parts of an object, each named at the call
    kind: str,
    namespace: str,
    name: str,
    *,
    labels: Mapping[str, str],
    owners: Iterable[Object],
    annotations: Mapping[str, str] | None = None,
    **body: object,
) -> Object:
    """A whole object; `body` is what comes beside its metadata (``spec=…``)."""
    obj: Object = {
        "apiVersion": API_VERSIONS[kind],
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": dict(labels),
            "annotations": dict(annotations or {}),
            "ownerReferences": list(owners),
        },
        **body,
    }
    obj["metadata"]["annotations"][ANNOTATION_CONTENT] = content_hash(obj)
    return obj


def content_hash(obj: Object) -> str:
    """16 hex digits over what the object says, whoever writes it and whatever is there beside it.

    So the hash itself is left out, and the fencing number (a new holder of the Lease has no reason to write all routes
    again), and owners but the MeshServices (that a route is made anew is no reason to write what goes after it twice).
    """
    own = {ANNOTATION_CONTENT, ANNOTATION_FENCING}
    metadata = obj["metadata"]
    annotations = {k: v for k, v in metadata.get("annotations", {}).items() if k not in own}
    owners = [r for r in metadata.get("ownerReferences", ()) if r["kind"] == "MeshService"]
    bare = obj | {"metadata": metadata | {"annotations": annotations, "ownerReferences": owners}}
    return digest(bare)


def digest(value: object) -> str:
    """16 hex digits of JSON data."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
