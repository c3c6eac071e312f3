"""What the writer does to objects of a real API server: ours are healed, others' are left alone."""

import time
from typing import Any

import pytest

from seatrial.api.names import ANNOTATION_TEMPLATE
from seatrial.control.cache import Written
from seatrial.control.keys import ServiceKey
from seatrial.control.telemetry import WRITES
from seatrial.control.writer import Writer
from seatrial.kube.errors import Conflict, NameTaken
from seatrial.kube.kinds import DEPLOYMENT, POD, SERVICE, SERVICE_ACCOUNT, Kind
from seatrial.kube.lease import Lost
from seatrial.render.objects import labels_of, manifest
from seatrial.rollout.world import PodShare
from support.ground import Ground


class Desk:
    """A writer at work for the service `orders`, which the operator leaves alone: its namespace isn't managed."""

    def __init__(self, ground: Ground, owner: dict[str, Any]) -> None:
        self.ground = ground
        self.owner = {k: owner[k] for k in ("apiVersion", "kind")} | {k: owner["metadata"][k] for k in ("name", "uid")}
        self.key = ServiceKey(ground.namespace, "orders")
        self.term = 7
        self.writer = Writer(ground.kube, Written(), self.fencing, time.monotonic)

    def fencing(self) -> int:
        if not self.term:
            raise Lost("gone")
        return self.term

    def service(self, port: int = 80) -> dict[str, Any]:
        spec = {"selector": {"a": "b"}, "ports": [{"name": "http", "port": port, "targetPort": 8080}]}
        return self.made("Service", spec=spec)

    def deployment(self, replicas: int = 0) -> dict[str, Any]:
        container = {"name": "app", "image": "none", "resources": {"requests": {"cpu": "0.5", "memory": "1024Mi"}}}
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}}
        spec = {"replicas": replicas, "selector": {"matchLabels": {"a": "b"}}, "template": template}
        return self.made("Deployment", annotations={ANNOTATION_TEMPLATE: "1"}, spec=spec)

    def made(self, kind: str, **body: Any) -> dict[str, Any]:
        owners = [self.owner | {"controller": True, "blockOwnerDeletion": False}]
        labels = labels_of("orders")
        return manifest(kind, self.ground.namespace, "orders", labels=labels, owners=owners, **body)

    async def put(self, *desired: dict[str, Any]) -> None:
        """As the reconciler does: once more where somebody wrote between the look and the write."""
        for _ in range(20):
            try:
                await self.writer.put(self.key, desired, await self.live())
            except Conflict as error:
                if "has been modified" not in error.message:
                    raise
            else:
                return
        raise AssertionError("somebody else writes all the time")

    async def live(self) -> dict[tuple[str, str], dict[str, Any]]:
        kinds = (SERVICE, DEPLOYMENT, SERVICE_ACCOUNT)
        found = [await self.ground.kube.list(k, self.ground.namespace, labels=labels_of("orders")) for k in kinds]
        return {(obj["kind"], obj["metadata"]["name"]): obj for objects in found for obj in objects}

    async def get(self, kind: Kind) -> dict[str, Any]:
        return await self.ground.kube.get(kind, "orders", self.ground.namespace)


def writes() -> float:
    """How often the writer has written so far."""
    return sum(s.value for metric in WRITES.collect() for s in metric.samples if s.name.endswith("_total"))


@pytest.fixture
async def desk(ground: Ground) -> Desk:
    metadata = {"name": "orders", "namespace": ground.namespace}
    spec = {"image": "none", "port": 8080}
    service = {"apiVersion": "seatrial.dev/v1alpha1", "kind": "MeshService", "metadata": metadata, "spec": spec}
    return Desk(ground, await ground.kube.create(service))


async def test_what_is_there_as_desired_is_not_written_again(desk: Desk) -> None:
    await desk.put(desk.service(), desk.deployment())
    before = writes()
    await desk.put(desk.service(), desk.deployment())
    assert writes() == before


async def test_a_field_edited_by_hand_is_put_right(desk: Desk) -> None:
    await desk.put(desk.deployment())
    await desk.ground.kube.merge(DEPLOYMENT, "orders", desk.ground.namespace, {"spec": {"replicas": 3}})
    await desk.put(desk.deployment())
    assert (await desk.get(DEPLOYMENT))["spec"]["replicas"] == 0


async def test_a_label_taken_off_by_hand_comes_back(desk: Desk) -> None:
    await desk.put(desk.service())
    taken = {"metadata": {"labels": {"app.kubernetes.io/managed-by": None, "seatrial.dev/service": None}}}
    await desk.ground.kube.merge(SERVICE, "orders", desk.ground.namespace, taken)
    await desk.put(desk.service())
    labels = (await desk.get(SERVICE))["metadata"]["labels"]
    assert labels_of("orders").items() <= labels.items()


async def test_an_object_of_somebody_else_is_left_alone(desk: Desk) -> None:
    metadata = {"name": "orders", "namespace": desk.ground.namespace}
    theirs = await desk.ground.kube.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    with pytest.raises(NameTaken, match=f"ServiceAccount {desk.ground.namespace}/orders"):
        await desk.put(desk.made("ServiceAccount"))
    assert (await desk.get(SERVICE_ACCOUNT))["metadata"]["resourceVersion"] == theirs["metadata"]["resourceVersion"]
    taken, free = await desk.writer.taken(desk.key, [(SERVICE_ACCOUNT, "orders"), (SERVICE, "orders")])
    assert [t.kind for t in taken] == ["ServiceAccount"]
    assert free == {("Service", "orders")}


async def test_nothing_is_written_without_the_lease(desk: Desk) -> None:
    desk.term = 0
    with pytest.raises(Lost):
        await desk.put(desk.service())
    assert await desk.ground.kube.find(SERVICE, "orders", desk.ground.namespace) is None


async def test_a_write_of_a_later_holder_is_not_turned_back(desk: Desk) -> None:
    await desk.put(desk.deployment())
    later = {"metadata": {"annotations": {"seatrial.dev/fencing": "8"}}, "spec": {"replicas": 2}}
    await desk.ground.kube.merge(DEPLOYMENT, "orders", desk.ground.namespace, later)
    with pytest.raises(Conflict, match="later holder"):
        await desk.put(desk.deployment())
    assert (await desk.get(DEPLOYMENT))["spec"]["replicas"] == 2


async def test_a_decision_on_an_older_version_is_not_written(desk: Desk) -> None:
    await desk.put(desk.deployment())
    seen = await desk.get(DEPLOYMENT)
    await desk.ground.kube.merge(DEPLOYMENT, "orders", desk.ground.namespace, {"spec": {"replicas": 2}})
    with pytest.raises(Conflict):
        await desk.writer.put(desk.key, [desk.deployment(1)], {("Deployment", "orders"): seen})


async def test_a_pod_is_told_over_whatever_the_kubelet_wrote_and_one_that_is_gone_is_no_failure(desk: Desk) -> None:
    spec = {"containers": [{"name": "app", "image": "none"}], "nodeName": "nowhere"}
    metadata = {"name": "orders-1-x", "namespace": desk.ground.namespace, "labels": labels_of("orders", 1)}
    made = await desk.ground.kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    labelled = {"metadata": {"labels": {"a": "b"}}}
    await desk.ground.kube.merge(POD, "orders-1-x", desk.ground.namespace, labelled)
    gone = made | {"metadata": made["metadata"] | {"name": "orders-1-y"}}
    told = PodShare("canary", 10).annotations
    await desk.writer.tell_pods(desk.key, [(made, told), (gone, told)])
    found = await desk.ground.kube.get(POD, "orders-1-x", desk.ground.namespace)
    assert told.items() <= found["metadata"]["annotations"].items()
    assert found["metadata"]["labels"]["a"] == "b"
