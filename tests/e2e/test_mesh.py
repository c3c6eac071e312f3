"""What the whole mesh gets, as it is on the cluster."""

import pytest

from cluster.commands import command
from cluster.host import CONTEXT
from support.asking import Edge, Request
from support.kubectl import Kubectl, KubectlError
from support.waiting import eventually

SHOP = Edge("shop.localhost")


@pytest.mark.parametrize("namespace", ["istio-system", "shop", "seatrial-system"])
def test_istioctl_analyze_finds_nothing(namespace: str) -> None:
    asked = ["istioctl", "--context", CONTEXT, "analyze", "--namespace", namespace, "--failure-threshold", "Info"]
    assert command(asked).strip() == ""


def test_callers_outside_cannot_override_what_the_mesh_waits_for() -> None:
    answer = SHOP.ask(Request("/api/v1/catalog", headers={"x-envoy-upstream-rq-timeout-ms": "1"}))
    assert answer.status == 200


def test_a_host_that_nobody_exposes_is_not_found() -> None:
    answer = Edge("nobody.localhost").ask(Request("/"))
    assert answer.status == 404
    assert answer.headers["server"] == "istio-envoy"


def test_the_node_takes_500_pods_and_they_are_measured(kubectl: Kubectl) -> None:
    (node,) = kubectl.list("nodes")
    assert node["status"]["allocatable"]["pods"] == "500"

    def measured() -> bool:
        try:
            return "istiod" in kubectl.within("istio-system")("top", "pods")
        except KubectlError as unavailable:  # a busy machine may keep the metrics server for a moment
            raise AssertionError(str(unavailable)) from unavailable

    eventually(measured, within=60, every=2, what="pods are measured")
