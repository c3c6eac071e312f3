"""One place for every name: labels, annotations, and the names of the objects that belong to a MeshService."""

from seatrial.api.base import GROUP

FIELD_MANAGER = "seatrial"
OPERATOR_NAMESPACE = "seatrial-system"
INGRESS_NAMESPACE = "istio-system"
INGRESS_SELECTOR = {"istio": "ingressgateway"}
INGRESS_IDENTITY = "cluster.local/ns/istio-system/sa/istio-ingressgateway-service-account"
TRUST_DOMAIN = "cluster.local"

LABEL_NAME = "app.kubernetes.io/name"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_SERVICE = f"{GROUP}/service"
LABEL_REVISION = f"{GROUP}/revision"
LABEL_MANAGED_NAMESPACE = f"{GROUP}/managed"
LABEL_CANONICAL_NAME = "service.istio.io/canonical-name"
LABEL_CANONICAL_REVISION = "service.istio.io/canonical-revision"
MANAGED_BY = "seatrial"
GROUP_LABELS = frozenset(
    {LABEL_NAME, LABEL_MANAGED_BY, LABEL_SERVICE, LABEL_REVISION, LABEL_CANONICAL_NAME, LABEL_CANONICAL_REVISION}
)
INJECTED_VARIABLES = ("SEATRIAL_SERVICE", "SEATRIAL_REVISION", "POD_NAME", "POD_NAMESPACE")

ANNOTATION_CONTENT = f"{GROUP}/content"  # hash of what we rendered into the object: what we wrote last
ANNOTATION_TEMPLATE = f"{GROUP}/template"  # hash of the pod template as we rendered it when the Deployment was made
ANNOTATION_FENCING = f"{GROUP}/fencing"  # number of the Lease's holder that wrote the weight
ANNOTATION_RESTART = f"{GROUP}/restart"
ANNOTATION_ROLE = f"{GROUP}/role"  # on a pod: of its revision now
ANNOTATION_WEIGHT = f"{GROUP}/weight"  # on a pod: percent of the work it could do that it shall do
ANNOTATION_SHARE = f"{GROUP}/share"  # on a pod: percent of all work that its revision shall do
ANNOTATION_PEERS = f"{GROUP}/peers"  # on a pod: pods of its revision, itself among them
ANNOTATION_VERB = f"{GROUP}/verb"  # on a Revision: what shall be done with it, once
FINALIZER = f"{GROUP}/rollout"

APP_CONTAINER = "app"
POD_VOLUME = "seatrial-pod"
POD_FOLDER = "/etc/seatrial/pod"  # holds `annotations`, kept current by the kubelet
MAX_SERVICE_NAME = 50  # `<service>-<number>-migrate` is a Job's name, which is a label of its pods: 63 at most


def revision_name(service: str, number: int) -> str:
    """Name of a Revision, its Deployment, its PodDisruptionBudget and its HorizontalPodAutoscaler."""
    return f"{service}-{number}"


def subset_name(number: int) -> str:
    """Name of a revision's subset in the DestinationRule."""
    return f"r{number}"


def delegate_name(service: str) -> str:
    """VirtualService that the ingress gateway's host delegates to."""
    return f"{service}-expose"


def config_copy_name(service: str, source: str, digest: str) -> str:
    """Name of a revision's immutable copy of a ConfigMap."""
    return f"{service}-{source}-{digest}"[:253]


def host_of(service: str, namespace: str) -> str:
    """Full name of a Service, as Istio's objects use it."""
    return f"{service}.{namespace}.svc.{TRUST_DOMAIN}"


def identity_of(service: str, namespace: str) -> str:
    """Principal of a service's pods in an AuthorizationPolicy (a SPIFFE identity without its scheme)."""
    return f"{TRUST_DOMAIN}/ns/{namespace}/sa/{service}"
