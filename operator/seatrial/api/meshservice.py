"""MeshService: one service in the mesh. What is described here ``kubectl explain`` prints: short, with units."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from seatrial.api.base import (
    HOST_PATTERN,
    Duration,
    Lenient,
    Model,
    Name,
    ObjectMeta,
    Path,
    Percent,
    Port,
    Quantity,
    keyed_by,
    not_in_schema,
    unique_items,
)
from seatrial.api.conditions import Condition
from seatrial.api.rollouts import Rollout


class ServicePort(Model):
    """A port of the Service and the container port behind it."""

    name: Name = Field(description="Name of the port, unique in the service.")
    port: Port = Field(description="Port that callers use.")
    target_port: Port = Field(description="Port that the container listens on.")
    app_protocol: Literal["http", "grpc", "tcp"] = Field(
        "http", description="http, grpc, or tcp. Protocols whose server speaks first (NATS, Postgres, MySQL) are tcp."
    )


class LocalRef(Model):
    """An object of the same namespace, by name."""

    name: Annotated[str, Field(max_length=253, description="Its name.")]
    optional: bool = Field(False, description="The pod starts without it when it doesn't exist.")


class EnvSource(Model):
    """Variables from all keys of a Secret or of a ConfigMap: one of the two."""

    prefix: str = Field("", max_length=256, description="Put in front of each key.")
    secret_ref: LocalRef | None = Field(
        None, description="A Secret: referenced, never read; `seatrial restart` rolls a changed one out."
    )
    config_map_ref: LocalRef | None = Field(
        None, description="A ConfigMap: its content is copied into the revision, so a change of it is a new revision."
    )


class Resources(Model):
    """Requests and limits of the app container, as Kubernetes quantities."""

    requests: dict[str, Quantity] = Field(
        default_factory=dict, max_length=16, description="What the scheduler sets aside, like cpu: 50m, memory: 64Mi."
    )
    limits: dict[str, Quantity] = Field(
        default_factory=dict, max_length=16, description="What the container can't exceed."
    )


class Migration(Model):
    """A job that runs before the first pod of a revision, once."""

    command: list[str] = Field(min_length=1, max_length=64, description="Run in the revision's image and environment.")
    timeout: Duration = Field("2m", description="The revision fails when the job takes longer.")


class Probes(Model):
    """Paths asked by HTTP GET on the first http port. Without a readiness path the port must accept connections."""

    startup: Path | None = Field(None, description="Must answer 2xx before the others are asked.")
    live: Path | None = Field(None, description="The container is restarted when it fails three times.")
    ready: Path | None = Field(None, description="The pod gets requests while it answers 2xx.")


class Shutdown(Model):
    """How long requests may take to end."""

    drain: Duration = Field("30s", description="Longest wait for requests on a revision that lost its traffic.")
    grace: Duration = Field("45s", description="terminationGracePeriod of the pods. A change makes a new revision.")


class PodTemplate(Model):
    """A strategic merge patch over the rendered pod, applied last."""

    metadata: dict[str, Any] = Field(default_factory=dict, description="Labels and annotations to add.")
    spec: dict[str, Any] = Field(
        default_factory=dict, description="PodSpec fields: volumes, more containers, affinity, tolerations."
    )


Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"]
SAFE: tuple[Method, ...] = ("GET", "HEAD", "OPTIONS")  # RFC 9110, section 9.2.1, without TRACE
IDEMPOTENT: tuple[Method, ...] = ("DELETE", "GET", "HEAD", "OPTIONS", "PUT", "TRACE")  # RFC 9110, section 9.2.2
RetryOn = Literal[
    "connect-failure",
    "refused-stream",
    "reset-before-request",
    "reset",
    "gateway-error",
    "5xx",
    "retriable-4xx",
    "unavailable",
    "cancelled",
    "deadline-exceeded",
    "resource-exhausted",
    "internal",
]
SURELY_NEVER_ARRIVED: tuple[RetryOn, ...] = ("connect-failure", "refused-stream", "reset-before-request")


class Retries(Model):
    """Retries by the callers' proxies. On methods that aren't idempotent only what surely never arrived is retried."""

    attempts: Annotated[int, Field(ge=0, le=10)] = Field(
        2, description="Retries after the first try; 0 switches them off."
    )
    per_try_timeout: Duration | None = Field(None, description="Time for each try; without it the route's timeout.")
    on: list[RetryOn] = Field(
        alias="retryOn",  # a bare `on` is the boolean true to every YAML 1.1 reader, kubectl and Helm among them
        default=["connect-failure", "refused-stream", "unavailable", "gateway-error"],
        max_length=12,
        json_schema_extra=unique_items(),
        description="Envoy's retry conditions.",
    )


class CircuitBreaker(Model):
    """Limits of each caller's proxy towards each revision, and ejection of failing pods."""

    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = Field(1024, description="TCP connections.")
    max_pending_requests: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        1024, description="Requests waiting for one."
    )
    max_requests: Annotated[int, Field(ge=1, le=1_000_000)] = Field(1024, description="Requests under way at once.")
    consecutive5xx_errors: Annotated[int, Field(ge=1, le=1000, alias="consecutive5xxErrors")] = Field(
        5, description="Failures in a row after which a pod is ejected."
    )
    interval: Duration = Field("5s", description="Time between two looks at a pod's failures.")
    eject_for: Duration = Field("30s", description="Time of the first ejection; it grows with each further one.")
    max_ejection_percent: Percent = Field(50, description="Most pods of a revision ejected at once.")


class PathMatch(Model):
    """How the path must look: one of exact, prefix, regex."""

    exact: Path | None = Field(None, description="The whole path.")
    prefix: Path | None = Field(None, description="How the path begins.")
    regex: str | None = Field(None, max_length=1024, description="RE2 expression for the whole path.")


class RouteMatch(Model):
    """Which requests: all that is given must hold."""

    method: Method | None = Field(None, description="Without it every method.")
    path: PathMatch | None = None
    headers: dict[str, str] = Field(default_factory=dict, max_length=16, description="Exact values by header name.")


class Route(Model):
    """Policy for some requests; the first match wins, the rest gets the policy of `traffic`."""

    match: RouteMatch
    timeout: Duration | None = Field(None, description="For the whole call with its retries; without it traffic's.")
    retries: Retries | None = Field(None, description="Without it traffic's.")
    idempotent: bool = Field(
        False, description="Repeating it is safe (it takes an idempotency key): retries act in full."
    )


class Traffic(Model):
    """Policy of all calls to this service."""

    timeout: Duration = Field("15s", description="For the whole call with its retries; 0s means none.")
    retries: Retries = Field(default_factory=Retries)
    circuit_breaker: CircuitBreaker | None = Field(
        None, description="Without it nothing is ejected and Istio's own limits hold. {} takes the defaults here."
    )
    routes: list[Route] = Field(
        default_factory=list, max_length=64, description="Policy for some requests; the first match wins."
    )


class Ingress(Model):
    """The ingress gateway; it has no settings."""


class Caller(Model):
    """Who may call: a service, or the ingress gateway."""

    service: Name | None = Field(None, description="Name of a MeshService.")
    namespace: Name | None = Field(None, description="Of the service; without it our own.")
    ingress: Ingress | None = Field(None, description="The ingress gateway, written `{}`.")
    methods: list[Method] = Field(
        default_factory=list, max_length=9, json_schema_extra=unique_items(), description="Only these; empty: all."
    )
    paths: list[Path] = Field(
        default_factory=list, max_length=64, description="Only these; a `*` at the end is a wildcard."
    )


class Callee(Model):
    """What this service calls: a MeshService or plain Service, or a host outside the mesh."""

    service: Name | None = Field(None, description="Name of a MeshService, or of a plain Service.")
    namespace: Name | None = Field(None, description="Of the service; without it our own.")
    host: Annotated[str, Field(pattern=HOST_PATTERN, max_length=253)] | None = Field(
        None, description="Name of a host outside the mesh."
    )
    port: Port | None = Field(None, description="Of the outside host; without it 443, or 80 for http.")
    protocol: Literal["http", "https", "tcp", "tls"] = Field(
        "https", description="Of the outside host; without it https.", json_schema_extra=not_in_schema
    )


class Security(Model):
    """`callers` opens this service, `calls` routes to others; a call needs both halves."""

    callers: list[Caller] = Field(default_factory=list, max_length=128, description="Who may call; nobody else can.")
    calls: list[Callee] = Field(
        default_factory=list, max_length=128, description="Whom it calls; nothing else can be reached."
    )


class SecretName(Model):
    """Where a certificate is."""

    secret_name: Annotated[str, Field(max_length=253, description="A TLS Secret in the ingress gateway's namespace.")]


class Expose(Model):
    """A path prefix of a host on the ingress gateway."""

    host: Annotated[str, Field(pattern=HOST_PATTERN, max_length=253, description="Of one namespace only.")]
    prefix: Path = Field("/", description="Whole path segments that the path begins with.")
    rewrite: Path | None = Field(None, description="Replaces the prefix before the service sees the path.")
    tls: SecretName | None = Field(None, description="Certificate Secret in istio-system; without it plain HTTP.")

    @property
    def place(self) -> str:
        """Host and prefix, spelt so that the same place is the same text: ``/api/`` is ``/api``."""
        return self.host + (self.prefix.rstrip("/") or "/")


class Autoscaling(Model):
    """A HorizontalPodAutoscaler for each revision that has traffic; it looks at the app container alone."""

    min: Annotated[int, Field(ge=1, le=1000)] = Field(1, description="Least pods.")
    max: Annotated[int, Field(ge=1, le=1000, description="Most pods.")]
    cpu_percent: Annotated[int, Field(ge=1, le=1000)] = Field(70, description="Of the requested CPU.")


class MeshServiceSpec(Model):
    """What a user asks for."""

    image: Annotated[str, Field(min_length=1, max_length=512)] = Field(description="Container image.")
    command: list[str] = Field(default_factory=list, max_length=64, description="Replaces the image's entry point.")
    args: list[str] = Field(default_factory=list, max_length=64, description="Replaces the image's arguments.")
    env: dict[str, str] = Field(default_factory=dict, max_length=256, description="Environment variables.")
    env_from: list[EnvSource] = Field(
        default_factory=list, max_length=32, description="Variables from Secrets and ConfigMaps."
    )
    resources: Resources = Field(default_factory=Resources)
    replicas: Annotated[int, Field(ge=0, le=1000)] = Field(
        1, description="Pods of the stable revision; ignored under `autoscaling`."
    )
    autoscaling: Autoscaling | None = None
    port: Port | None = Field(
        None, description="Container port that speaks HTTP; short for `ports` with port 80 named http in front of it."
    )
    ports: list[ServicePort] = Field(
        default_factory=list,
        max_length=16,
        json_schema_extra=keyed_by("name"),
        description="Instead of `port`: several ports, or other protocols.",
    )
    migrate: Migration | None = None
    probes: Probes = Field(default_factory=Probes)
    shutdown: Shutdown = Field(default_factory=Shutdown)
    pod_template: PodTemplate = Field(default_factory=PodTemplate)
    traffic: Traffic = Field(default_factory=Traffic)
    security: Security = Field(default_factory=Security)
    expose: list[Expose] = Field(
        default_factory=list,
        max_length=32,
        json_schema_extra=keyed_by("host", "prefix"),
        description="Where it is on the ingress gateway.",
    )
    rollout: Rollout = Field(default_factory=Rollout)
    paused: bool = Field(False, description="Holds a rollout where it is.")

    @property
    def service_ports(self) -> tuple[ServicePort, ...]:
        """The ports with the sugar of `port` taken out."""
        if self.port is not None:
            return (ServicePort(name="http", port=80, target_port=self.port, app_protocol="http"),)
        return tuple(self.ports)


class Weight(Lenient):
    """Percent of requests for the newer revision: as asked, and as the callers' proxies acknowledged it."""

    wanted: int = 0
    verified: int = 0


class MeshServiceStatus(Lenient):
    """What the operator reports."""

    observed_generation: int = 0
    phase: str = ""
    brief: str = Field("", description="What the rollout waits for, or why the last one ended, in a few words.")
    stable_revision: int | None = None
    canary_revision: int | None = None
    target_revision: int | None = Field(None, description="The revision that the template asked for at the last look.")
    weight: Weight | None = None
    replicas: int = 0
    ready_replicas: int = 0
    selector: str = ""
    url: str | None = None
    accepted_spec: str | None = Field(
        None, description="JSON of the last good spec, kept while the present one isn't accepted."
    )
    conditions: list[Condition] = Field(default_factory=list, json_schema_extra=keyed_by("type"))


class MeshService(Model):
    """One service in the mesh: its pods, the policy of calls to it, who may call it, how a change rolls out."""

    model_config = ConfigDict(extra="ignore")

    api_version: Literal["seatrial.dev/v1alpha1"] = "seatrial.dev/v1alpha1"
    kind: Literal["MeshService"] = "MeshService"
    metadata: ObjectMeta
    spec: MeshServiceSpec
    status: MeshServiceStatus = Field(default_factory=MeshServiceStatus)
