"""The kinds that Seatrial reads and writes: one place for group, version and plural."""

from dataclasses import dataclass

from seatrial.api.base import GROUP, VERSION


@dataclass(frozen=True)
class Kind:
    """A resource of the API."""

    group: str
    version: str
    name: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """Group and version, as objects say it."""
        return f"{self.group}/{self.version}" if self.group else self.version


MESH_SERVICE = Kind(GROUP, VERSION, "MeshService", "meshservices")
REVISION = Kind(GROUP, VERSION, "Revision", "revisions")

NAMESPACE = Kind("", "v1", "Namespace", "namespaces", namespaced=False)
POD = Kind("", "v1", "Pod", "pods")
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")
SERVICE = Kind("", "v1", "Service", "services")
SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts")
EVENT = Kind("", "v1", "Event", "events")
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
JOB = Kind("batch", "v1", "Job", "jobs")
AUTOSCALER = Kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
DISRUPTION_BUDGET = Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
NETWORK_POLICY = Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")
ROLE_BINDING = Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings")
LEASE = Kind("coordination.k8s.io", "v1", "Lease", "leases")

GATEWAY = Kind("networking.istio.io", "v1", "Gateway", "gateways")
VIRTUAL_SERVICE = Kind("networking.istio.io", "v1", "VirtualService", "virtualservices")
DESTINATION_RULE = Kind("networking.istio.io", "v1", "DestinationRule", "destinationrules")
SIDECAR = Kind("networking.istio.io", "v1", "Sidecar", "sidecars")
SERVICE_ENTRY = Kind("networking.istio.io", "v1", "ServiceEntry", "serviceentries")
AUTHORIZATION_POLICY = Kind("security.istio.io", "v1", "AuthorizationPolicy", "authorizationpolicies")

OWNED = (
    SERVICE_ACCOUNT,
    SERVICE,
    DEPLOYMENT,
    JOB,
    AUTOSCALER,
    DISRUPTION_BUDGET,
    NETWORK_POLICY,
    GATEWAY,
    VIRTUAL_SERVICE,
    DESTINATION_RULE,
    SIDECAR,
    SERVICE_ENTRY,
    AUTHORIZATION_POLICY,
)
"""What the operator makes for a MeshService beside its Revisions and copies of ConfigMaps."""

ALL = (*OWNED, MESH_SERVICE, REVISION, NAMESPACE, POD, CONFIG_MAP, EVENT, ROLE_BINDING, LEASE)

_BY_NAME = {(k.api_version, k.name): k for k in ALL}


def kind_of(api_version: str, name: str) -> Kind:
    """The kind of an object by its own words; ``KeyError`` for one that isn't known here."""
    return _BY_NAME[api_version, name]
