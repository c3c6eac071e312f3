"""How callers' proxies reach a service: subsets, weighted routes, timeouts, retries.

Retries act in full on requests that may be repeated, and elsewhere only where the request surely never arrived. So a
policy with retries becomes two routes, one for the idempotent methods and one for the rest. Retries are always
explicit: Istio would retry twice by itself, a POST too.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from seatrial.api.base import seconds
from seatrial.api.meshservice import (
    IDEMPOTENT,
    SURELY_NEVER_ARRIVED,
    CircuitBreaker,
    MeshServiceSpec,
    PathMatch,
    Retries,
    Route,
    RouteMatch,
)
from seatrial.api.names import ANNOTATION_FENCING, LABEL_REVISION, host_of, subset_name
from seatrial.render.inputs import Inputs
from seatrial.render.objects import Object, labels_of, manifest, owned_by
from seatrial.render.variants import Policy, Variant, variants
from seatrial.render.workloads import subset_owners


@dataclass(frozen=True)
class Placed:
    """A policy and the path that it is for."""

    policy: Policy
    path: PathMatch | None = None

    @property
    def takes_all(self) -> bool:
        """Whether nothing is left for what follows."""
        return self.path is None and self.policy.matches(None) == [{}]


def policies(spec: MeshServiceSpec) -> Iterator[Placed]:
    """All routes of the traffic policy, the first match first; one that takes everything is the last."""
    rest = Route(match=RouteMatch())
    named = [(f"route-{i}", route) for i, route in enumerate(spec.traffic.routes, start=1)]
    for name, route in [*named, ("default", rest)]:
        for policy in _split(name, route, spec):
            placed = Placed(policy, route.match.path)
            yield placed
            if placed.takes_all:
                return


def _split(name: str, route: Route, spec: MeshServiceSpec) -> Iterator[Policy]:
    timeout = _timeout(route.timeout or spec.traffic.timeout)
    retries = route.retries or spec.traffic.retries
    match = route.match
    headers = ({header: {"exact": value} for header, value in sorted(match.headers.items())},)
    method: dict[str, str] | None = {"exact": match.method} if match.method else None
    full = timeout | {"retries": _in_full(retries)}
    if not retries.attempts or not retries.on or route.idempotent or match.method in IDEMPOTENT:
        yield Policy(name, method, headers, full)
        return
    if method is None:
        yield Policy(f"{name}-idempotent", {"regex": "|".join(IDEMPOTENT)}, headers, full)
    yield Policy(name, method, headers, timeout | {"retries": _never_arrived(retries)})


def _in_full(retries: Retries) -> dict[str, Any]:
    if not retries.attempts or not retries.on:
        return {"attempts": 0}
    limit = retries.per_try_timeout
    each = {"perTryTimeout": proto_duration(limit)} if limit and seconds(limit) else {}
    return {"attempts": retries.attempts, "retryOn": ",".join(retries.on), **each}


def _never_arrived(retries: Retries) -> dict[str, Any]:
    """Without the time for each try: what timed out may have arrived, so it would be cut short and not repeated."""
    return {"attempts": retries.attempts, "retryOn": ",".join(SURELY_NEVER_ARRIVED)}


def _timeout(duration: str) -> dict[str, str]:
    """Istio takes no zero: no timeout is said by saying nothing."""
    return {"timeout": proto_duration(duration)} if seconds(duration) else {}


def proto_duration(duration: str) -> str:
    """A duration as protobuf writes it in JSON, such as ``0.25s``: the one form that all of Istio's parsers share."""
    return f"{seconds(duration):.3f}".rstrip("0").rstrip(".") + "s"


def reached(routes: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without those that ask for just what an earlier one takes: Istio warns of them."""
    first: dict[str, dict[str, Any]] = {}
    for route in routes:
        first.setdefault(json.dumps(route.get("match"), sort_keys=True), route)
    return list(first.values())


def destinations(inputs: Inputs, variant: Variant, port: int | None = None) -> list[dict[str, Any]]:
    """Subsets with their parts of the requests, those without any left out."""
    found = []
    for revision, part in sorted(variant.parts.items()):
        if part > 0:
            answer = {"response": {"add": {"set-cookie": variant.cookies[revision]}}} if variant.cookies else {}
            headers = {"headers": answer} if answer else {}
            found.append({"destination": _subset(inputs, revision, port), "weight": part, **headers})
    return found


def actions(inputs: Inputs, variant: Variant, port: int | None = None) -> dict[str, Any]:
    """Where the requests of an HTTP route go, and copies of them."""
    mirror = variant.mirror
    if mirror is None:
        return {"route": destinations(inputs, variant, port)}
    copies = {"destination": _subset(inputs, mirror.revision, port), "percentage": {"value": mirror.percent}}
    return {"route": destinations(inputs, variant, port), "mirrors": [copies]}


def _subset(inputs: Inputs, revision: int, port: int | None) -> dict[str, Any]:
    number = {"port": {"number": port}} if port is not None else {}
    return {"host": host_of(inputs.name, inputs.namespace), "subset": subset_name(revision), **number}


def mesh_routes(inputs: Inputs) -> Object | None:
    """The VirtualService for callers inside the mesh; none before there is something to route to."""
    ports = inputs.service.spec.service_ports
    if not ports or not inputs.routing.routed:
        return None
    spec: dict[str, Any] = {"hosts": [host_of(inputs.name, inputs.namespace)], "gateways": ["mesh"]}
    if any(p.app_protocol != "tcp" for p in ports):
        spec["http"] = reached(_mesh_routes(inputs))
    if tcp := [p.port for p in ports if p.app_protocol == "tcp"]:
        public = Variant(inputs.routing.shares)
        spec["tcp"] = [{"match": [{"port": port}], "route": destinations(inputs, public, port)} for port in tcp]
    return virtual_service(inputs, inputs.name, spec)


def virtual_service(inputs: Inputs, name: str, spec: dict[str, Any]) -> Object:
    """Routes go first of all, so they are owned by the MeshService alone."""
    return manifest(
        "VirtualService",
        inputs.namespace,
        name,
        labels=labels_of(inputs.name),
        owners=[owned_by(inputs.service, controller=True)],
        annotations={ANNOTATION_FENCING: str(inputs.fencing)},
        spec=spec,
    )


def _mesh_routes(inputs: Inputs) -> Iterator[dict[str, Any]]:
    for placed in policies(inputs.service.spec):
        uri = placed.path.dump() if placed.path else None
        for variant in variants(inputs, edge=False):
            if policy := variant.of(placed.policy):
                matches = policy.matches(uri)
                match = {"match": matches} if matches != [{}] else {}
                yield {"name": policy.name, **match, **actions(inputs, variant), **policy.settings}


def subsets(inputs: Inputs) -> Object | None:
    """The DestinationRule: a subset for each revision that may be routed to, mutual TLS, and the circuit breaker."""
    if not inputs.service.spec.service_ports:
        return None
    breaker = inputs.service.spec.traffic.circuit_breaker
    spec: dict[str, Any] = {
        "host": host_of(inputs.name, inputs.namespace),
        "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}, **(_breaker(breaker) if breaker else {})},
    }
    if inputs.routing.subsets:
        spec["subsets"] = [
            {"name": subset_name(n), "labels": {LABEL_REVISION: str(n)}} for n in sorted(inputs.routing.subsets)
        ]
    return manifest(
        "DestinationRule",
        inputs.namespace,
        inputs.name,
        labels=labels_of(inputs.name),
        owners=subset_owners(inputs),
        spec=spec,
    )


def _breaker(breaker: CircuitBreaker) -> dict[str, Any]:
    """Envoy's limits hold for each proxy and subset. Ejecting none at all is said by leaving detection out."""
    pool = {
        "tcp": {"maxConnections": breaker.max_connections},
        "http": {
            "http1MaxPendingRequests": breaker.max_pending_requests,
            "http2MaxRequests": breaker.max_requests,
        },
    }
    if not breaker.max_ejection_percent:
        return {"connectionPool": pool}
    detection = {
        "consecutive5xxErrors": breaker.consecutive5xx_errors,
        "interval": proto_duration(breaker.interval),
        "baseEjectionTime": proto_duration(breaker.eject_for),
        "maxEjectionPercent": breaker.max_ejection_percent,
        "minHealthPercent": 0,
    }
    return {"connectionPool": pool, "outlierDetection": detection}
