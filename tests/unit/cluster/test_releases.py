import json
from pathlib import Path
from typing import Any

from cluster.releases import Release, Trouble, first_unready, is_deployed, pod_trouble


def deployment(
    name: str, *, available: str = "True", generation: int = 1, observed: int = 1, new: int = 2, pods: int = 2
) -> dict[str, Any]:
    conditions = [
        {"type": "Progressing", "status": "True"},
        {"type": "Available", "status": available, "message": "Deployment does not have minimum availability."},
    ]
    counts = {"replicas": pods, "updatedReplicas": new, "availableReplicas": 2}
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "generation": generation},
        "spec": {"replicas": 2},
        "status": {"observedGeneration": observed, "conditions": conditions, **counts},
    }


def listing(*items: dict[str, Any]) -> str:
    return json.dumps({"items": items})


def test_all_objects_must_have_the_condition() -> None:
    assert first_unready(listing(deployment("a"), deployment("b")), "Available") is None
    told = first_unready(listing(deployment("a"), deployment("b", available="False")), "Available")
    assert told == "b: Deployment does not have minimum availability."


def test_no_object_is_not_ready() -> None:
    assert first_unready(listing(), "Available") == ""
    assert first_unready("{}", "Available") == ""


def test_a_condition_from_before_the_last_change_does_not_count() -> None:
    told = first_unready(listing(deployment("a", generation=2)), "Available")
    assert told == "a: its last change has not been seen yet"


def test_a_deployment_is_not_ready_while_its_pods_are_being_replaced() -> None:
    assert first_unready(listing(deployment("a", new=1)), "Available") == "a: 1 of 2 pods are new"
    assert first_unready(listing(deployment("a", pods=3)), "Available") == "a: 2 of 2 pods are new"


def test_a_service_is_not_ready_while_a_new_revision_is_on_its_way() -> None:
    status = {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}], "stableRevision": 1}
    service = {"kind": "MeshService", "metadata": {"name": "orders", "generation": 1}, "status": status}
    assert first_unready(listing(service), "Ready") is None
    rolling = {**service, "status": {**status, "canaryRevision": 2}}
    assert first_unready(listing(service, rolling), "Ready") == "orders: revision 2 is on its way"


def test_an_object_nobody_has_looked_at_is_not_ready() -> None:
    new = {"metadata": {"name": "orders", "generation": 1}}
    assert first_unready(listing(new), "Ready") == "orders: its last change has not been seen yet"


def test_a_release_is_upgraded_when_chart_or_values_changed(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("a: 1")
    release = Release("shop", "shop", tmp_path, (("image.tag", "1"),))
    status = json.dumps({"info": {"status": "deployed", "description": release.content}})
    assert is_deployed(status, release.content)
    other = Release("shop", "shop", tmp_path, (("image.tag", "2"),))
    assert not is_deployed(status, other.content)
    (tmp_path / "values.yaml").write_text("a: 2")
    assert not is_deployed(status, release.content)


def test_a_release_that_failed_or_is_not_there_is_not_deployed() -> None:
    assert not is_deployed(json.dumps({"info": {"status": "failed", "description": "content x"}}), "content x")
    assert not is_deployed("", "content x")


def pod(name: str, *, reason: str, message: str = "", born: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    container = {"name": "app", "state": state}
    return {"metadata": {"name": name, "creationTimestamp": born}, "status": {"containerStatuses": [container]}}


def test_a_pod_that_does_not_run_says_why() -> None:
    trouble = pod_trouble(listing(pod("orders-1", reason="ImagePullBackOff", message="Back-off pulling image")))
    assert trouble == Trouble("orders-1", "app", "ImagePullBackOff", "Back-off pulling image")
    assert str(trouble) == "ImagePullBackOff: Back-off pulling image"


def test_a_pod_that_fits_nowhere_says_why() -> None:
    condition = {"type": "PodScheduled", "reason": "Unschedulable", "message": "0/1 nodes: Insufficient cpu."}
    unfit = {"metadata": {"name": "orders-1"}, "status": {"conditions": [condition]}}
    assert pod_trouble(listing(unfit)) == Trouble("orders-1", "", "Unschedulable", "0/1 nodes: Insufficient cpu.")


def test_the_newest_pod_is_asked_first_because_older_ones_may_be_on_their_way_out() -> None:
    old = pod("orders-1", reason="CrashLoopBackOff")
    new = pod("orders-2", reason="ImagePullBackOff", born="2026-01-02T00:00:00Z")
    trouble = pod_trouble(listing(old, new))
    assert trouble is not None
    assert trouble.pod == "orders-2"


def test_pods_that_run_or_just_start_are_no_trouble() -> None:
    assert pod_trouble(listing(pod("orders-1", reason="ContainerCreating"))) is None
    assert pod_trouble("{}") is None
