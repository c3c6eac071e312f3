"""Objects that carry a service: its identity, its address, a Deployment for each revision and what goes with it."""

import math
from typing import Any

from seatrial.api.base import seconds
from seatrial.api.names import (
    ANNOTATION_TEMPLATE,
    APP_CONTAINER,
    LABEL_NAME,
    LABEL_REVISION,
    LABEL_SERVICE,
    delegate_name,
    revision_name,
)
from seatrial.render.inputs import Inputs
from seatrial.render.objects import Object, after, digest, labels_of, manifest, owned_by
from seatrial.render.pods import migration_template, pod_template


def migration_name(service: str, revision: int) -> str:
    """Name of the migration Job of a revision."""
    return f"{service}-{revision}-migrate"


def service_account(inputs: Inputs) -> Object:
    """The service's identity in the mesh. It has no rights, so no token of it is mounted."""
    return manifest(
        "ServiceAccount",
        inputs.namespace,
        inputs.name,
        labels=labels_of(inputs.name),
        owners=last_owners(inputs),
        automountServiceAccountToken=False,
    )


def address(inputs: Inputs) -> Object | None:
    """The Service; none where nothing can be called. Its selector leaves out the pods of migration jobs."""
    ports = inputs.service.spec.service_ports
    if not ports:
        return None
    spec = {
        "type": "ClusterIP",
        "selector": {LABEL_NAME: inputs.name, LABEL_SERVICE: inputs.name},
        "ports": [
            {
                "name": p.name,
                "port": p.port,
                "targetPort": p.target_port,
                "protocol": "TCP",
                "appProtocol": p.app_protocol,
            }
            for p in ports
        ],
    }
    return manifest(
        "Service",
        inputs.namespace,
        inputs.name,
        labels=labels_of(inputs.name),
        owners=_carrier_owners(inputs),
        spec=spec,
    )


def deployments(inputs: Inputs) -> list[Object]:
    """One for each revision that shall have one and whose Revision is there."""
    return [_deployment(inputs, number) for number in _numbers(inputs)]


def budgets(inputs: Inputs) -> list[Object]:
    """A PodDisruptionBudget for each routed revision that one voluntary disruption would not empty."""
    return [
        _of_revision(
            "PodDisruptionBudget",
            inputs,
            number,
            {
                "maxUnavailable": 1,
                "selector": {"matchLabels": _selector(inputs, number)},
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
            },
        )
        for number in _numbers(inputs)
        if number in inputs.routing.routed and inputs.scales[number] >= 2
    ]


def autoscalers(inputs: Inputs) -> list[Object]:
    """A HorizontalPodAutoscaler for each revision with pods, when asked.

    While two revisions have pods a rollout is under way, and neither sinks below what was decided for it: stable must
    be able to take all traffic back, the canary must have the pods for its next weight before it comes.
    """
    scaling = inputs.service.spec.autoscaling
    if scaling is None:
        return []
    active = [n for n in _numbers(inputs) if inputs.scales[n] > 0]
    target = {"type": "Utilization", "averageUtilization": scaling.cpu_percent}
    cpu = {"name": "cpu", "container": APP_CONTAINER, "target": target}
    return [
        _of_revision(
            "HorizontalPodAutoscaler",
            inputs,
            number,
            {
                "scaleTargetRef": {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": revision_name(inputs.name, number),
                },
                "minReplicas": scaling.min if len(active) == 1 else min(inputs.scales[number], scaling.max),
                "maxReplicas": scaling.max,
                "metrics": [{"type": "ContainerResource", "containerResource": cpu}],
            },
        )
        for number in active
    ]


def migrations(inputs: Inputs) -> list[Object]:
    """The Job of each revision whose migration shall run: one pod, one try, cut at its deadline."""
    return [
        manifest(
            "Job",
            inputs.namespace,
            migration_name(inputs.name, number),
            labels=labels_of(inputs.name, number),
            owners=[owned_by(inputs.service, controller=True)],
            spec={
                "completions": 1,
                "parallelism": 1,
                "backoffLimit": 0,
                "activeDeadlineSeconds": max(1, math.ceil(seconds(migration.timeout))),
                "template": migration_template(revision),
            },
        )
        for number, revision in sorted(inputs.revisions.items())
        if number in inputs.migrate and (migration := revision.spec.template.migrate)
    ]


def last_owners(inputs: Inputs) -> list[Object]:
    """Owners of what pods need to the end: it goes after the Service, or after the Deployments where there is none."""
    pods = [("Deployment", revision_name(inputs.name, n)) for n in sorted(inputs.revisions)]
    before = [("Service", inputs.name)] if inputs.service.spec.service_ports else pods
    return [owned_by(inputs.service, controller=True), *after(inputs.live, *before)]


def _carrier_owners(inputs: Inputs) -> list[Object]:
    """Owners of Deployments and the Service: they go after the subsets."""
    return [owned_by(inputs.service, controller=True), *after(inputs.live, ("DestinationRule", inputs.name))]


def subset_owners(inputs: Inputs) -> list[Object]:
    """Owners of the DestinationRule: subsets go after the routes to them."""
    routes = [("VirtualService", inputs.name), ("VirtualService", delegate_name(inputs.name))]
    return [owned_by(inputs.service, controller=True), *after(inputs.live, *routes)]


def _deployment(inputs: Inputs, number: int) -> Object:
    name = revision_name(inputs.name, number)
    template = pod_template(inputs.revisions[number])
    return manifest(
        "Deployment",
        inputs.namespace,
        name,
        labels=labels_of(inputs.name, number),
        owners=_carrier_owners(inputs),
        annotations={ANNOTATION_TEMPLATE: digest(template)},
        spec={
            "replicas": inputs.scales[number],
            "revisionHistoryLimit": 0,
            "progressDeadlineSeconds": max(1, math.ceil(seconds(inputs.service.spec.rollout.progress_deadline))),
            "selector": {"matchLabels": _selector(inputs, number)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": template,
        },
    )


def _of_revision(kind: str, inputs: Inputs, number: int, spec: dict[str, Any]) -> Object:
    """An object of a revision's pods; it goes after its Deployment."""
    name = revision_name(inputs.name, number)
    return manifest(
        kind,
        inputs.namespace,
        name,
        labels=labels_of(inputs.name, number),
        owners=[owned_by(inputs.service, controller=True), *after(inputs.live, ("Deployment", name))],
        spec=spec,
    )


def _selector(inputs: Inputs, number: int) -> dict[str, str]:
    return {LABEL_SERVICE: inputs.name, LABEL_REVISION: str(number)}


def _numbers(inputs: Inputs) -> list[int]:
    return sorted(n for n in inputs.scales if n in inputs.revisions)
