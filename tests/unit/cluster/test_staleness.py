"""What is believed of a cluster whose node was started again."""

from typing import Any

from cluster.staleness import older_than

START = "2026-01-02T03:04:05"
OLDER, NEWER = "2026-01-02T03:04:04Z", "2026-01-02T03:04:05Z"


def item(kind: str, name: str, namespace: str, **content: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": namespace}, **content}


def pod(
    name: str, state: dict[str, Any] | None = None, ip: str = "10.0.0.1", where: str = "kube-system"
) -> dict[str, Any]:
    return item("Pod", name, where, status={"podIP": ip, "containerStatuses": [{"state": state}] if state else []})


def lease(name: str, taken: str, where: str = "kube-system") -> dict[str, Any]:
    return item("Lease", name, where, spec={"acquireTime": taken})


def endpoints(target: str, *addresses: str, where: str = "istio-system") -> dict[str, Any]:
    listed = [{"addresses": [address], "targetRef": {"kind": "Pod", "name": target}} for address in addresses]
    return item("EndpointSlice", f"{target}-slice", where, endpoints=listed)


def test_a_pod_that_runs_since_before_the_node_is_only_remembered() -> None:
    pods = [
        pod("remembered", {"running": {"startedAt": OLDER}}),
        pod("back", {"running": {"startedAt": NEWER}}),
        pod("failing", {"waiting": {"reason": "CrashLoopBackOff"}}, where="istio-system"),
        pod("somebody's", {"running": {"startedAt": OLDER}}, where="shop"),
        pod("new"),
    ]
    assert older_than(START, pods) == ["Pod remembered"]


def test_controllers_that_wait_for_the_lease_of_before_have_corrected_nothing_yet() -> None:
    leases = [
        lease("kube-controller-manager", OLDER),
        lease("kube-scheduler", NEWER),
        lease("seatrial", OLDER),
        lease("kube-controller-manager", OLDER, where="somebody's"),
    ]
    assert older_than(START, leases) == ["Lease kube-controller-manager"]


def test_a_service_that_has_the_address_a_pod_had_before_is_only_remembered() -> None:
    istiod = pod("istiod", {"running": {"startedAt": NEWER}}, ip="10.0.0.9", where="istio-system")
    assert older_than(START, [istiod, endpoints("istiod", "10.0.0.9")]) == []
    assert older_than(START, [istiod, endpoints("istiod", "10.0.0.2")]) == ["EndpointSlice istiod-slice"]


def test_a_service_that_has_the_address_of_a_pod_that_is_gone_is_only_remembered() -> None:
    assert older_than(START, [endpoints("istiod", "10.0.0.2")]) == ["EndpointSlice istiod-slice"]


def test_a_service_without_pods_is_believed() -> None:
    api = item("EndpointSlice", "kubernetes", "kube-system", endpoints=[{"addresses": ["172.18.0.2"]}])
    empty = item("EndpointSlice", "idle", "kube-system", endpoints=None)
    assert older_than(START, [api, empty]) == []
