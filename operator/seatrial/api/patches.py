"""What ``spec.podTemplate`` may hold. It is Kubernetes' own language: asked is what a merge needs and what is ours.

Everything else in it the API server judges when it gets the Deployment.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from seatrial.api.meshservice import PodTemplate
from seatrial.api.names import GROUP_LABELS
from seatrial.api.problems import Problem

# A map for a map, a list with a map in it for a list of maps: what the merge, and who reads its outcome, goes into.
_PROBE: dict[str, Any] = {"exec": {}, "httpGet": {}, "tcpSocket": {}, "grpc": {}, "sleep": {}}
_CONTAINER: dict[str, Any] = {
    "env": [{"valueFrom": {"configMapKeyRef": {}, "resourceFieldRef": {}, "secretKeyRef": {}}}],
    "envFrom": [{"configMapRef": {}, "secretRef": {}}],
    "ports": [{}],
    "volumeMounts": [{}],
    "volumeDevices": [{}],
    "resources": {"requests": {}, "limits": {}},
    "securityContext": {},
    "lifecycle": {"preStop": _PROBE, "postStart": _PROBE},
    "startupProbe": _PROBE,
    "livenessProbe": _PROBE,
    "readinessProbe": _PROBE,
}
_POD: dict[str, Any] = {
    "containers": [_CONTAINER],
    "initContainers": [_CONTAINER],
    "volumes": [
        {"configMap": {}, "emptyDir": {}, "projected": {"sources": [{"configMap": {}, "secret": {}}]}, "secret": {}}
    ],
    "affinity": {},
    "hostAliases": [{}],
    "imagePullSecrets": [{}],
    "nodeSelector": {},
    "securityContext": {},
    "tolerations": [{}],
    "topologySpreadConstraints": [{}],
}
_NAMED = ("containers", "initContainers", "volumes")


def pod_template_problems(template: PodTemplate) -> Iterator[Problem]:
    """All that keeps it from being laid over the rendered pod."""
    yield from _metadata("spec.podTemplate.metadata", template.metadata)
    if "serviceAccountName" in template.spec:
        yield Problem(
            "spec.podTemplate.spec.serviceAccountName",
            "can't be changed: callers and callees know the service by its own account",
            "take it out, and bind roles to the account that is named like the service",
            value=template.spec["serviceAccountName"],
        )
    if "$patch" in template.spec:
        yield Problem("spec.podTemplate.spec.$patch", "can't act on the whole pod", "patch the parts that shall differ")
    yield from _shaped("spec.podTemplate.spec", template.spec, _POD)
    for kind in _NAMED:
        for i, item in enumerate(_maps(template.spec.get(kind))):
            if dict(item) != {"$patch": "replace"} and not isinstance(item.get("name"), str):
                where = f"spec.podTemplate.spec.{kind}[{i}].name"
                yield Problem(where, "is missing", "give it: items are merged by their names", value=item.get("name"))


def _metadata(at: str, metadata: Mapping[str, object]) -> Iterator[Problem]:
    for kind, given in metadata.items():
        where = f"{at}.{kind}"
        if kind not in {"labels", "annotations"}:
            yield Problem(where, "can't be set", "labels and annotations can", value=given)
        elif isinstance(given, Mapping):
            yield from _texts(where, given)
        elif given is not None:
            yield Problem(where, "isn't a map", "give a map of text", value=given)


def _texts(where: str, given: Mapping[object, object]) -> Iterator[Problem]:
    for name, value in given.items():
        if name in GROUP_LABELS and where.endswith("labels"):
            yield Problem(f"{where}[{name}]", "is Seatrial's own", "choose another label", value=value)
        elif not isinstance(name, str) or not isinstance(value, str | None):
            yield Problem(f"{where}[{name}]", f"{value} isn't text", f'put it in quotes: "{value}"', value=value)


def _shaped(at: str, given: object, shape: Mapping[str, Any] | list[Any]) -> Iterator[Problem]:
    if given is None:
        return
    if isinstance(shape, list):
        if not isinstance(given, list) or not all(isinstance(item, Mapping) for item in given):
            yield Problem(at, "isn't a list of maps", "write each item as a map: `- name: …`", value=given)
            return
        for i, item in enumerate(given):
            yield from _shaped(f"{at}[{i}]", item, shape[0])
    elif not isinstance(given, Mapping):
        yield Problem(at, "isn't a map", "give a map", value=given)
    else:
        for name, part in shape.items():
            yield from _shaped(f"{at}.{name}", given.get(name), part)


def _maps(given: object) -> list[Mapping[str, object]]:
    return [item for item in given if isinstance(item, Mapping)] if isinstance(given, list) else []
