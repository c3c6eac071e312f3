"""From an accepted spec and a decision to Kubernetes' and Istio's objects: pure, the same bytes for the same inputs."""

from seatrial.render.access import authorization, network_policy, sidecar
from seatrial.render.configs import Source, sources
from seatrial.render.edge import delegate_routes
from seatrial.render.hosts import host_object_name, render_hosts
from seatrial.render.inputs import Callee, Inputs
from seatrial.render.objects import API_VERSIONS, Object, content_hash
from seatrial.render.routes import mesh_routes, subsets
from seatrial.render.workloads import (
    address,
    autoscalers,
    budgets,
    deployments,
    migration_name,
    migrations,
    service_account,
)

__all__ = [
    "API_VERSIONS",
    "Callee",
    "Inputs",
    "Object",
    "Source",
    "content_hash",
    "host_object_name",
    "migration_name",
    "render",
    "render_hosts",
    "sources",
]


def render(inputs: Inputs) -> list[Object]:
    """All objects of one MeshService in the order to apply them: what is needed comes before what needs it."""
    objects = [
        service_account(inputs),
        network_policy(inputs),
        sidecar(inputs),
        authorization(inputs),
        address(inputs),
        *migrations(inputs),
        *deployments(inputs),
        *autoscalers(inputs),
        *budgets(inputs),
        subsets(inputs),
        mesh_routes(inputs),
        delegate_routes(inputs),
    ]
    return [obj for obj in objects if obj is not None]
