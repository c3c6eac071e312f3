"""Who may call a service, and what it can reach: in the mesh by identity, and below it by network policy.

Nothing is open that `callers` and `calls` don't name. A policy without rules lets nobody in.
"""

from typing import Any

from seatrial.api.meshservice import Caller
from seatrial.api.names import (
    INGRESS_IDENTITY,
    INGRESS_NAMESPACE,
    INGRESS_SELECTOR,
    LABEL_SERVICE,
    OPERATOR_NAMESPACE,
    host_of,
    identity_of,
)
from seatrial.render.hosts import outside_port
from seatrial.render.inputs import Callee, Inputs
from seatrial.render.objects import Object, labels_of, manifest
from seatrial.render.workloads import last_owners

NOBODY = "~/*"  # an egress list can't be empty; this one holds no service
ISTIOD = {"app": "istiod"}
ISTIOD_PORT = 15012
PROXY_STATS_PORTS = (15020, 15090)
_NAMESPACE_NAME = "kubernetes.io/metadata.name"
_NODE_LOCAL_DNS = "169.254.20.10/32"  # where NodeLocal DNSCache listens by convention


def authorization(inputs: Inputs) -> Object:
    """ALLOW for the callers on the service's own ports; whatever isn't allowed is denied."""
    ports = sorted({str(p.target_port) for p in inputs.service.spec.service_ports}, key=int)
    rules = [_rule(inputs, caller, ports) for caller in inputs.service.spec.security.callers] if ports else []
    spec: dict[str, Any] = {"selector": {"matchLabels": {LABEL_SERVICE: inputs.name}}, "action": "ALLOW"}
    return _policy("AuthorizationPolicy", inputs, spec | ({"rules": rules} if rules else {}))


def _rule(inputs: Inputs, caller: Caller, ports: list[str]) -> dict[str, Any]:
    if caller.service is None:
        principal = INGRESS_IDENTITY
    else:
        principal = identity_of(caller.service, caller.namespace or inputs.namespace)
    operation: dict[str, list[str]] = {"ports": ports}
    if caller.methods:
        operation["methods"] = list(caller.methods)
    if caller.paths:
        operation["paths"] = list(caller.paths)
    return {"from": [{"source": {"principals": [principal]}}], "to": [{"operation": operation}]}


def sidecar(inputs: Inputs) -> Object:
    """The proxy knows what the service calls and nothing else, so that it stays small and other calls go nowhere."""
    hosts = set()
    for callee in inputs.service.spec.security.calls:
        if callee.host is not None:
            hosts.add(f"./{callee.host}")
        elif callee.service is not None:
            namespace = callee.namespace or inputs.namespace
            where = "." if namespace == inputs.namespace else namespace
            hosts.add(f"{where}/{host_of(callee.service, namespace)}")
    spec = {
        "workloadSelector": {"labels": {LABEL_SERVICE: inputs.name}},
        "egress": [{"hosts": sorted(hosts) or [NOBODY]}],
        "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
    }
    return _policy("Sidecar", inputs, spec)


def network_policy(inputs: Inputs) -> Object:
    """The same again for the packets, for whatever gets past a proxy; the kubelet's probes are always let in."""
    spec = {
        "podSelector": {"matchLabels": {LABEL_SERVICE: inputs.name}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": _ingress(inputs),
        "egress": _egress(inputs),
    }
    return _policy("NetworkPolicy", inputs, spec)


def _ingress(inputs: Inputs) -> list[dict[str, Any]]:
    """Callers on the service's ports, and the operator where proxies tell their statistics."""
    ports = sorted({p.target_port for p in inputs.service.spec.service_ports})
    peers: list[dict[str, Any]] = []
    for caller in inputs.service.spec.security.callers:
        if caller.service is None:
            peer = _peer(INGRESS_NAMESPACE, INGRESS_SELECTOR)
        else:
            peer = _peer(caller.namespace or inputs.namespace, {LABEL_SERVICE: caller.service})
        if peer not in peers:
            peers.append(peer)
    calls = [{"from": peers, "ports": _tcp(*ports)}] if peers and ports else []
    return [*calls, {"from": [_peer(OPERATOR_NAMESPACE)], "ports": _tcp(*PROXY_STATS_PORTS)}]


def _egress(inputs: Inputs) -> list[dict[str, Any]]:
    """DNS, istiod, and what is called."""
    dns = {
        "to": [_peer("kube-system"), {"ipBlock": {"cidr": _NODE_LOCAL_DNS}}],
        "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
    }
    rules = [dns, {"to": [_peer(INGRESS_NAMESPACE, ISTIOD)], "ports": _tcp(ISTIOD_PORT)}]
    outside = set()
    for callee in inputs.service.spec.security.calls:
        if callee.service is not None:
            namespace = callee.namespace or inputs.namespace
            known = inputs.callees.get((namespace, callee.service)) or Callee.mesh_service(callee.service)
            ports = {"ports": _tcp(*sorted(known.target_ports))} if known.target_ports else {}
            rules.append({"to": [_peer(namespace, known.selector)], **ports})
        else:
            outside.add(outside_port(callee))
    if outside:
        everywhere = [{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}}]
        rules.append({"to": everywhere, "ports": _tcp(*sorted(outside))})
    return rules


def _peer(namespace: str, labels: Any = None) -> dict[str, Any]:  # noqa: ANN401 # a mapping of labels, or nothing
    pods = {"podSelector": {"matchLabels": dict(labels)}} if labels else {}
    return {"namespaceSelector": {"matchLabels": {_NAMESPACE_NAME: namespace}}, **pods}


def _tcp(*ports: int) -> list[dict[str, Any]]:
    return [{"port": port, "protocol": "TCP"} for port in ports]


def _policy(kind: str, inputs: Inputs, spec: dict[str, Any]) -> Object:
    return manifest(
        kind, inputs.namespace, inputs.name, labels=labels_of(inputs.name), owners=last_owners(inputs), spec=spec
    )
