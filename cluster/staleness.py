"""What the API still tells of a cluster from before its node was stopped.

After a start the API server answers first, from etcd: pods run, Deployments are ready and Services have addresses as
they were. Kubelet corrects the pods after seconds, the controllers correct the rest once their old Lease has run out.
Until then nothing that is read may be believed, and no webhook reached.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cluster.commands import probe
from cluster.host import NODE
from cluster.kubectl import ask

_SYSTEM = frozenset({"kube-system", "istio-system"})
_CONTROLLERS = frozenset({"kube-controller-manager", "kube-scheduler"})


def remembered() -> list[str]:
    """Name what the API tells of the system that is older than the node's start."""
    since = probe(["docker", "inspect", "--format", "{{.State.StartedAt}}", NODE]) or ""
    listing = ask("get", "pods,leases,endpointslices", "--all-namespaces", "--output=json")
    return older_than(since[:19], json.loads(listing)["items"]) if listing else ["the API server"]


def older_than(since: str, objects: Iterable[Mapping[str, Any]]) -> list[str]:
    """Name the system's objects that tell of a time before `since` (RFC 3339, UTC, to the second).

    A pod with a container that runs since before it; a controller whose Lease wasn't taken since then; an EndpointSlice
    with the address of a pod that has another one now.
    """
    system = [item for item in objects if item["metadata"]["namespace"] in _SYSTEM]
    addresses = {
        (pod["metadata"]["namespace"], pod["metadata"]["name"]): pod["status"].get("podIP")
        for pod in system
        if pod["kind"] == "Pod"
    }
    stale: dict[str, Callable[[Mapping[str, Any]], bool]] = {
        "Pod": lambda pod: _runs_since_before(since, pod),
        "Lease": lambda lease: _is_led_since_before(since, lease),
        "EndpointSlice": lambda endpoints: _points_elsewhere(endpoints, addresses),
    }
    return [f"{item['kind']} {item['metadata']['name']}" for item in system if stale[item["kind"]](item)]


def _runs_since_before(since: str, pod: Mapping[str, Any]) -> bool:
    states = [status["state"] for status in pod["status"].get("containerStatuses", [])]
    return any(state.get("running", {}).get("startedAt", since) < since for state in states)


def _is_led_since_before(since: str, lease: Mapping[str, Any]) -> bool:
    return lease["metadata"]["name"] in _CONTROLLERS and lease["spec"].get("acquireTime", "") < since


def _points_elsewhere(endpoints: Mapping[str, Any], pods: Mapping[tuple[str, str], str | None]) -> bool:
    namespace = endpoints["metadata"]["namespace"]
    return any(
        pods.get((namespace, endpoint["targetRef"]["name"])) not in endpoint["addresses"]
        for endpoint in endpoints.get("endpoints") or ()
        if endpoint.get("targetRef", {}).get("kind") == "Pod"
    )
