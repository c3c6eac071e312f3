"""Giving a namespace to the operator, and taking it back."""

from seatrial.api.names import FINALIZER, LABEL_MANAGED_NAMESPACE, OPERATOR_NAMESPACE
from seatrial.cli.cluster import Cluster
from seatrial.cli.complaint import Complaint
from seatrial.kube.client import Object
from seatrial.kube.errors import NotFound
from seatrial.kube.kinds import MESH_SERVICE, NAMESPACE, ROLE_BINDING

SYSTEM = frozenset(
    {"kube-system", "kube-public", "kube-node-lease", "istio-system", "local-path-storage", OPERATOR_NAMESPACE}
)
LABELS = {
    LABEL_MANAGED_NAMESPACE: "true",
    "istio-injection": "enabled",
    "pod-security.kubernetes.io/enforce": "restricted",
}
BINDING = "seatrial-operator"


def binding(namespace: str) -> Object:
    """What lets the operator write in a namespace."""
    return {
        "apiVersion": ROLE_BINDING.api_version,
        "kind": ROLE_BINDING.name,
        "metadata": {"name": BINDING, "namespace": namespace, "labels": {"app.kubernetes.io/managed-by": "seatrial"}},
        "roleRef": {"apiGroup": ROLE_BINDING.group, "kind": "ClusterRole", "name": "seatrial-namespace"},
        "subjects": [{"kind": "ServiceAccount", "name": "seatrial-operator", "namespace": OPERATOR_NAMESPACE}],
    }


async def manage(cluster: Cluster, name: str, *, force: bool) -> str:
    """Label the namespace (made where it isn't there) and bind the operator's role."""
    _choosable(name)
    await cluster.kube.apply(_labelled(name, LABELS), force=force)
    await cluster.kube.apply(binding(name), force=force)
    return (
        f"namespace {name} is managed: sidecars are injected, Pod Security restricted is enforced, "
        "and the operator may write there"
    )


async def release(cluster: Cluster, name: str) -> str:
    """Take back what `manage` gave. Services that are there go on serving, and are left alone."""
    _choosable(name)
    await cluster.must_exist(name)
    services = await _services(cluster, name)
    busy = [s["metadata"]["name"] for s in services if FINALIZER in s["metadata"].get("finalizers", ())]
    if busy:
        raise Complaint(
            f"a rollout is under way in {name} ({', '.join(sorted(busy))}): without the operator it would never end",
            "wait until it has, or apply the stable template again",
        )
    await cluster.kube.apply(_labelled(name, {}), force=True)
    await cluster.kube.merge(NAMESPACE, name, None, {"metadata": {"labels": {LABEL_MANAGED_NAMESPACE: None}}})
    await cluster.kube.delete(ROLE_BINDING, BINDING, name)
    left = f"; its {len(services)} MeshServices go on serving, and are left alone" if services else ""
    return f"namespace {name} isn't managed any more{left}"


async def _services(cluster: Cluster, name: str) -> list[Object]:
    try:
        return await cluster.kube.list(MESH_SERVICE, name)
    except NotFound:  # Seatrial itself is gone already
        return []


def _labelled(name: str, labels: dict[str, str]) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _choosable(name: str) -> None:
    if name in SYSTEM:
        raise Complaint(f"{name} belongs to the system", "choose the namespace of your services")
