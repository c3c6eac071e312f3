import json
from typing import Any

import yaml

from cluster.images import Mode
from cluster.istio import MESH, install_files
from seatrial.api.buckets import LATENCY_BUCKETS_MS

SPEC: dict[str, Any] = yaml.safe_load((MESH / "istio.yaml").read_text(encoding="utf-8"))["spec"]
POLICIES = [
    document
    for file in sorted((MESH / "policy").glob("*.yaml"))
    for document in yaml.safe_load_all(file.read_text(encoding="utf-8"))
]


def policy(kind: str, name: str) -> dict[str, Any]:
    (found,) = [item for item in POLICIES if (item["kind"], item["metadata"]["name"]) == (kind, name)]
    spec: dict[str, Any] = found["spec"]
    return spec


def annotations() -> dict[str, str]:
    found: dict[str, str] = SPEC["components"]["ingressGateways"][0]["k8s"]["podAnnotations"]
    return found


def test_the_gateway_measures_latency_at_the_same_values_as_sidecars() -> None:
    buckets = json.loads(annotations()["sidecar.istio.io/statsHistogramBuckets"])
    assert buckets == {"cluster.outbound": list(LATENCY_BUCKETS_MS)}


def test_the_gateway_flushes_its_statistics_every_second() -> None:
    assert annotations()["sidecar.istio.io/statsFlushInterval"] == "1s"


def test_every_workload_speaks_mutual_tls_only_and_nobody_may_call_anybody() -> None:
    assert policy("PeerAuthentication", "default") == {"mtls": {"mode": "STRICT"}}
    assert policy("AuthorizationPolicy", "default-deny") == {}
    assert all(item["metadata"]["namespace"] == "istio-system" for item in POLICIES)


def test_hosts_that_nobody_declared_are_not_routed() -> None:
    assert SPEC["meshConfig"]["outboundTrafficPolicy"] == {"mode": "REGISTRY_ONLY"}


def test_istio_scales_nothing_by_itself() -> None:
    assert SPEC["values"]["pilot"]["autoscaleEnabled"] is False
    assert SPEC["values"]["gateways"]["istio-ingressgateway"]["autoscaleEnabled"] is False


def test_upstreams_envoy_gets_no_filters_that_only_istio_compiles() -> None:
    assert install_files(Mode.PULL) == [MESH / "istio.yaml"]
    extra = install_files(Mode.BUILD)[-1]
    values = yaml.safe_load(extra.read_text(encoding="utf-8"))["spec"]["values"]
    assert values["telemetry"] == {"enabled": False}
    assert values["pilot"]["env"] == {"PILOT_ENABLE_METADATA_EXCHANGE": "false", "PILOT_ENABLE_ALPN_FILTER": "false"}
