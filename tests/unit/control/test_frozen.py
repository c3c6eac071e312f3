"""An upgrade of the operator leaves running pods alone; an edit by hand doesn't last."""

from typing import Any

from seatrial.api.names import ANNOTATION_TEMPLATE
from seatrial.control.differ import difference
from seatrial.control.frozen import with_pods_as_made


def deployment(image: str, rendering: str, *, replicas: int = 2) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "orders-1", "annotations": {ANNOTATION_TEMPLATE: rendering}},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "app", "image": image}]}}},
    }


def test_pods_that_an_older_operator_rendered_stay_as_they_are() -> None:
    live = deployment("orders:1", "old")
    assert difference(with_pods_as_made(deployment("orders:1-probed", "new"), live), live) is None


def test_replicas_change_under_pods_that_an_older_operator_rendered() -> None:
    live = deployment("orders:1", "old")
    desired = with_pods_as_made(deployment("orders:1-probed", "new", replicas=5), live)
    assert difference(desired, live) == "spec.replicas"
    assert desired["spec"]["template"] == live["spec"]["template"]


def test_a_template_edited_by_hand_is_healed() -> None:
    edited = deployment("somebody:else", "same")
    desired = with_pods_as_made(deployment("orders:1", "same"), edited)
    assert difference(desired, edited) == "spec.template.spec.containers[0].image"


def test_other_kinds_are_left_to_the_renderer() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "orders"}, "spec": {}}
    assert with_pods_as_made(service, service) is service
