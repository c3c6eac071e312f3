"""Pods of a revision: its template, what the mesh and Pod Security need, and the user's patch laid over it.

What is rendered here belongs to a revision for ever: another rendering of an existing revision would restart its
pods. So nothing but the Revision goes in, and the golden files show a change before users feel it.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from seatrial.api.base import seconds
from seatrial.api.buckets import LATENCY_BUCKETS_MS
from seatrial.api.meshservice import EnvSource, ServicePort
from seatrial.api.names import (
    ANNOTATION_RESTART,
    APP_CONTAINER,
    LABEL_CANONICAL_NAME,
    LABEL_CANONICAL_REVISION,
    LABEL_MANAGED_BY,
    LABEL_NAME,
    LABEL_SERVICE,
    MANAGED_BY,
    POD_FOLDER,
    POD_VOLUME,
)
from seatrial.api.names import subset_name as subset
from seatrial.api.revision import Revision, Template
from seatrial.render.configs import copies_of, pointed_at
from seatrial.render.merge import merged
from seatrial.render.objects import labels_of
from seatrial.render.stored import stored
from seatrial.rollout.world import PodShare

LABEL_MIGRATION = "seatrial.dev/migration"

PRE_STOP_SECONDS = 5  # all proxies know of an endpoint's end within a fraction of it
STARTUP_SECONDS = 300  # a slow start is ended by the rollout's deadline, not by the kubelet

_CONTAINER_SECURITY = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
_POD_MOUNT = {"name": POD_VOLUME, "mountPath": POD_FOLDER}
_POD_ANNOTATIONS = {
    "path": "annotations",
    "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.annotations"},
}
_POD_VOLUME = {"name": POD_VOLUME, "downwardAPI": {"items": [_POD_ANNOTATIONS]}}
_POD_SECURITY = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def pod_template(revision: Revision) -> dict[str, Any]:
    """`spec.template` of the revision's Deployment.

    A template never changes, so its pods begin with no share of any work: what they have now is patched onto each.
    """
    service, template = revision.spec.service, revision.spec.template
    identity = labels_of(service, revision.spec.number) | _canonical(revision)
    app = _app(revision) | _serving(template) | {"volumeMounts": [_POD_MOUNT]}
    base = _pod(revision, app, identity, _annotations(template) | PodShare("kept").annotations)
    base["spec"]["volumes"] = [_POD_VOLUME]
    return _finished(revision, _patched(base, template), identity)


def migration_template(revision: Revision) -> dict[str, Any]:
    """`spec.template` of its migration job: the same pod with another command, and nothing that keeps it up.

    It has the service's identity and policy, but not the labels that would make it an endpoint or one of the
    revision's pods.
    """
    service, template = revision.spec.service, revision.spec.template
    if template.migrate is None:
        raise ValueError(f"revision {revision.metadata.name} has no migration")
    identity = {
        LABEL_NAME: f"{service}-migrate",
        LABEL_MANAGED_BY: MANAGED_BY,
        LABEL_SERVICE: service,
        LABEL_MIGRATION: str(revision.spec.number),
        **_canonical(revision),
    }
    pod = _patched(_pod(revision, _app(revision), identity, _mesh_annotations()), template)
    app = next((c for c in pod["spec"]["containers"] if c["name"] == APP_CONTAINER), _app(revision))
    serving = {"args", "ports", "lifecycle", "startupProbe", "livenessProbe", "readinessProbe"}
    job = {k: v for k, v in app.items() if k not in serving} | {"command": list(template.migrate.command)}
    pod["spec"] |= {"containers": [job], "restartPolicy": "Never"}
    return _finished(revision, pod, identity)


def _canonical(revision: Revision) -> dict[str, str]:
    return {LABEL_CANONICAL_NAME: revision.spec.service, LABEL_CANONICAL_REVISION: subset(revision.spec.number)}


def _pod(
    revision: Revision, app: dict[str, Any], labels: Mapping[str, str], annotations: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "metadata": {"labels": dict(labels), "annotations": dict(annotations)},
        "spec": {
            "serviceAccountName": revision.spec.service,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": _grace(revision.spec.template),
            "securityContext": dict(_POD_SECURITY),
            "containers": [app],
        },
    }


def _patched(pod: dict[str, Any], template: Template) -> dict[str, Any]:
    """Containers that the patch adds begin with our security context, so that Pod Security admits them as they are."""
    patch = template.pod_template
    spec = dict(pod["spec"])
    for kind in ("containers", "initContainers"):
        known = {c["name"] for c in spec.get(kind, [])}
        added = [c for c in patch.spec.get(kind) or [] if "$patch" not in c and c.get("name") not in known]
        if added:
            ours = [{"name": c.get("name"), "securityContext": dict(_CONTAINER_SECURITY)} for c in added]
            spec[kind] = [*spec.get(kind, []), *ours]
    return {"metadata": merged(pod["metadata"], patch.metadata), "spec": merged(spec, patch.spec)}


def _finished(revision: Revision, pod: dict[str, Any], identity: Mapping[str, str]) -> dict[str, Any]:
    """Copies of configs in, spelt as it will be stored; labels that selectors and policies rely on can't be patched."""
    spec = stored(pointed_at(copies_of(revision), pod["spec"], service=revision.spec.service))
    metadata = pod["metadata"] | {"labels": pod["metadata"].get("labels", {}) | dict(identity)}
    return {"metadata": metadata, "spec": spec}


def _app(revision: Revision) -> dict[str, Any]:
    """The app container without what only serving pods have."""
    template = revision.spec.template
    resources = {
        kind: dict(sorted(amounts.items()))
        for kind, amounts in (("requests", template.resources.requests), ("limits", template.resources.limits))
        if amounts
    }
    container: dict[str, Any] = {
        "name": APP_CONTAINER,
        "image": template.image,
        "imagePullPolicy": "IfNotPresent",
        "env": _env(revision),
        "securityContext": dict(_CONTAINER_SECURITY),
    }
    if template.command:
        container["command"] = list(template.command)
    if template.args:
        container["args"] = list(template.args)
    if template.env_from:
        container["envFrom"] = [_env_from(s) for s in template.env_from]
    if resources:
        container["resources"] = resources
    return container


def _env(revision: Revision) -> list[dict[str, Any]]:
    """Facts about the pod first, so that the user's variables may refer to them."""
    variables: dict[str, dict[str, Any]] = {
        "SEATRIAL_SERVICE": {"value": revision.spec.service},
        "SEATRIAL_REVISION": {"value": str(revision.spec.number)},
        "POD_NAME": {"valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
        "POD_NAMESPACE": {"valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}},
    }
    for name, value in sorted(revision.spec.template.env.items()):
        variables[name] = {"value": value}
    return [{"name": name, **source} for name, source in variables.items()]


def _env_from(source: EnvSource) -> dict[str, Any]:
    prefix = {"prefix": source.prefix} if source.prefix else {}
    references = (("configMapRef", source.config_map_ref), ("secretRef", source.secret_ref))
    named = {kind: {"name": r.name, **({"optional": True} if r.optional else {})} for kind, r in references if r}
    return prefix | named


def _serving(template: Template) -> dict[str, Any]:
    """Ports, probes, and the pause between the end of an endpoint and SIGTERM."""
    if not template.ports:
        return {}
    pause = min(PRE_STOP_SECONDS, _grace(template) // 3)
    return {
        "ports": _ports(template.ports),
        **_probes(template),
        **({"lifecycle": {"preStop": {"sleep": {"seconds": pause}}}} if pause else {}),
    }


def _ports(ports: list[ServicePort]) -> list[dict[str, Any]]:
    """Each container port once; a name longer than Kubernetes lets it be is left out."""
    names: dict[int, str] = {}
    for port in ports:
        names.setdefault(port.target_port, port.name)
    return [
        {"containerPort": number, "protocol": "TCP"} | ({"name": name} if _port_name(name) else {})
        for number, name in names.items()
    ]


def _port_name(name: str) -> bool:
    return len(name) <= 15 and any(c.isalpha() for c in name) and "--" not in name


def _probes(template: Template) -> dict[str, Any]:
    http = next((p.target_port for p in template.ports if p.app_protocol == "http"), None)
    paths = template.probes
    probes: dict[str, Any] = {
        "readinessProbe": {
            "tcpSocket": {"port": template.ports[0].target_port},
            "periodSeconds": 2,
            "timeoutSeconds": 3,
            "failureThreshold": 3,
        }
    }
    if http is None:
        return probes
    if paths.ready:
        del probes["readinessProbe"]["tcpSocket"]
        probes["readinessProbe"]["httpGet"] = _get(paths.ready, http)
    if paths.startup:
        probes["startupProbe"] = {
            "httpGet": _get(paths.startup, http),
            "periodSeconds": 1,
            "timeoutSeconds": 3,
            "failureThreshold": STARTUP_SECONDS,
        }
    if paths.live:
        probes["livenessProbe"] = {
            "httpGet": _get(paths.live, http),
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        }
    return probes


def _get(path: str, port: int) -> dict[str, Any]:
    return {"path": path, "port": port, "scheme": "HTTP"}


def _annotations(template: Template) -> dict[str, str]:
    http = next((p.target_port for p in template.ports if p.app_protocol == "http"), None)
    scrape = {"prometheus.io/scrape": "true", "prometheus.io/port": str(http), "prometheus.io/path": "/metrics"}
    restart = {ANNOTATION_RESTART: template.restart} if template.restart else {}
    return _mesh_annotations() | (scrape if http else {}) | restart


def _mesh_annotations() -> dict[str, str]:
    """For the sidecar: fresh statistics, fine histograms of calls out and in, and small requests for small nodes."""
    return {
        "kubectl.kubernetes.io/default-container": APP_CONTAINER,
        "sidecar.istio.io/proxyCPU": "10m",
        "sidecar.istio.io/proxyMemory": "64Mi",
        "sidecar.istio.io/statsFlushInterval": "1s",
        "sidecar.istio.io/statsHistogramBuckets": json.dumps({"cluster.": LATENCY_BUCKETS_MS}, separators=(",", ":")),
    }


def _grace(template: Template) -> int:
    return math.ceil(seconds(template.grace))
