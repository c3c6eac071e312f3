"""What the MeshServices of a namespace share: hosts on the ingress gateway, and hosts outside the mesh.

Such an object belongs to all MeshServices that name the host, and goes with the last of them. Istio knows one service
for one outside host in a namespace, so the ports that several MeshServices call stand in one ServiceEntry.
"""

import hashlib
import re
from collections.abc import Collection, Iterable
from typing import Any

from seatrial.api.meshservice import Callee, Expose, MeshService
from seatrial.api.names import INGRESS_SELECTOR, LABEL_MANAGED_BY, LABEL_NAME, MANAGED_BY, delegate_name
from seatrial.render.edge import outside_of
from seatrial.render.objects import Live, Object, after, manifest, owned_by

_DEFAULT_PORTS = {"http": 80, "https": 443, "tls": 443}
_PROTOCOLS = {"http": "HTTP", "https": "HTTPS", "tls": "TLS", "tcp": "TCP"}


def render_hosts(
    namespace: str, services: Iterable[MeshService], *, routed: Collection[str], live: Live | None = None
) -> list[Object]:
    """Gateways, root VirtualServices and ServiceEntries of a namespace, in the order in which they are to be applied.

    `services` are all MeshServices of the namespace with their accepted specs; `routed` names those that have a
    routing: the others get no place on the gateway yet. Where two want the same one, the older has it. `live` has
    uids by kind and name.
    """
    ordered = sorted(services, key=_age)
    exposed = sorted({e.host for s in ordered for e in s.spec.expose})
    outside = sorted({c.host for s in ordered for c in s.spec.security.calls if c.host is not None})
    known = live or {}
    objects = [_service_entry(namespace, host, ordered, known) for host in outside]
    objects += [_gateway(namespace, host, ordered, known) for host in exposed]
    roots = [_root(namespace, host, ordered, routed) for host in exposed]
    return objects + [root for root in roots if root is not None]


def host_object_name(host: str) -> str:
    """Name of the objects of a host: readable, and never the same for two hosts."""
    slug = re.sub(r"[^a-z0-9]+", "-", host.lower()).strip("-")[:50].strip("-")
    return f"{slug}-{hashlib.sha256(host.encode()).hexdigest()[:8]}"


def _age(service: MeshService) -> tuple[str, str]:
    return (service.metadata.creation_timestamp or "~", service.metadata.name)


def _labels(host: str) -> dict[str, str]:
    return {LABEL_NAME: host_object_name(host), LABEL_MANAGED_BY: MANAGED_BY}


def _exposing(host: str, services: Iterable[MeshService]) -> list[tuple[MeshService, Expose]]:
    return [(s, e) for s in services for e in s.spec.expose if e.host == host]


def _owners(services: Iterable[MeshService]) -> list[Object]:
    unique = {s.metadata.name: s for s in services}
    return [owned_by(unique[name], controller=False) for name in sorted(unique)]


def _gateway(namespace: str, host: str, services: list[MeshService], live: Live) -> Object:
    """Only routes of this namespace may bind the host. With a certificate, plain HTTP is sent to HTTPS."""
    exposing = _exposing(host, services)
    certificate = next((e.tls.secret_name for _, e in exposing if e.tls), None)
    hosts = [f"./{host}"]
    plain: dict[str, Any] = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": hosts}
    servers = [plain]
    if certificate:
        plain["tls"] = {"httpsRedirect": True}
        servers.append(
            {
                "port": {"number": 443, "name": "https", "protocol": "HTTPS"},
                "hosts": hosts,
                "tls": {"mode": "SIMPLE", "credentialName": certificate},
            }
        )
    name = host_object_name(host)
    return manifest(
        "Gateway",
        namespace,
        name,
        labels=_labels(host),
        owners=[*_owners(s for s, _ in exposing), *after(live, ("VirtualService", name))],
        spec={"selector": dict(INGRESS_SELECTOR), "servers": servers},
    )


def _root(namespace: str, host: str, services: list[MeshService], routed: Collection[str]) -> Object | None:
    exposing = _exposing(host, services)
    places: dict[str, str] = {}
    for service, expose in exposing:
        if service.metadata.name in routed:
            places.setdefault(outside_of(expose), service.metadata.name)
    if not places:
        return None
    name = host_object_name(host)
    return manifest(
        "VirtualService",
        namespace,
        name,
        labels=_labels(host),
        owners=_owners(s for s, _ in exposing),
        spec={
            "hosts": [host],
            "gateways": [name],
            "http": [
                _place(prefix, places[prefix], namespace) for prefix in sorted(places, key=lambda p: (-len(p), p))
            ],
        },
    )


def _place(prefix: str, service: str, namespace: str) -> dict[str, Any]:
    match = {"match": [{"uri": {"exact": prefix}}, {"uri": {"prefix": f"{prefix}/"}}]} if prefix else {}
    return {**match, "delegate": {"name": delegate_name(service), "namespace": namespace}}


def _service_entry(namespace: str, host: str, services: list[MeshService], live: Live) -> Object:
    calling = [(s, c) for s in services for c in s.spec.security.calls if c.host == host]
    protocols: dict[int, str] = {}
    for _, callee in calling:
        protocols.setdefault(outside_port(callee), _PROTOCOLS[callee.protocol])
    accounts = sorted({("ServiceAccount", s.metadata.name) for s, _ in calling})
    return manifest(
        "ServiceEntry",
        namespace,
        host_object_name(host),
        labels=_labels(host),
        owners=[*_owners(s for s, _ in calling), *after(live, *accounts)],
        spec={
            "hosts": [host],
            "exportTo": ["."],
            "location": "MESH_EXTERNAL",
            "resolution": "NONE" if host.startswith("*") else "DNS",
            "ports": [
                {"number": number, "name": f"{protocol.lower()}-{number}", "protocol": protocol}
                for number, protocol in sorted(protocols.items())
            ],
        },
    )


def outside_port(callee: Callee) -> int:
    """Port of an outside host: as given, or what its protocol is known by."""
    return callee.port if callee.port is not None else _DEFAULT_PORTS.get(callee.protocol, 443)
