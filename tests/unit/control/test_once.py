"""What is read of an object once, and when it is read again."""

from typing import Any

from seatrial.control.cache import Cache
from seatrial.control.fleet import Fleet
from seatrial.control.keys import ServiceKey
from seatrial.control.once import LEAST, Once, resource_version
from seatrial.control.rendering import Rendering
from seatrial.render import Inputs
from seatrial.rollout.world import Routing
from support.sea import Sea, a_service

ORDERS = ServiceKey("shop", "orders")


def seen(uid: str, version: int = 1) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "resourceVersion": str(version)}}


def mesh_service(name: str, generation: int = 1, version: int = 1, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}"}
    return {
        "apiVersion": "seatrial.dev/v1alpha1",
        "kind": "MeshService",
        "metadata": metadata | {"generation": generation, "resourceVersion": str(version)},
        "spec": {"image": "orders:dev", "port": 8080} | spec,
    }


def test_each_version_is_read_once() -> None:
    read: list[str] = []
    once = Once(lambda obj: read.append(obj["metadata"]["resourceVersion"]), resource_version, list)
    for version in (1, 1, 2, 2):
        once.of(seen("a", version))
    assert read == ["1", "2"]


def test_what_is_gone_is_forgotten_and_what_is_there_is_not() -> None:
    read: list[str] = []
    once = Once(lambda obj: read.append(obj["metadata"]["uid"]), resource_version, lambda: [seen("stays")])
    once.of(seen("stays"))
    for n in range(LEAST):
        once.of(seen(f"goes-{n}"))
    read.clear()
    once.of(seen("stays"))
    once.of(seen("goes-0"))
    assert read == ["goes-0"]


def test_a_fleet_is_known_until_it_is_told_that_something_changed() -> None:
    objects = {("shop", "orders"): [mesh_service("orders")]}
    fleet = Fleet(Cache({"meshservices": objects}))
    assert fleet.known() is fleet.known()
    objects["shop", "catalog"] = [mesh_service("catalog")]
    fleet.changed()
    assert set(fleet.known().services) == {("shop", "orders"), ("shop", "catalog")}
    assert fleet.known(frozenset({("shop", "db")})).plain == {("shop", "db")}


def test_a_status_is_as_it_is_now_and_the_spec_is_the_very_one_of_before() -> None:
    fleet = Fleet(Cache({"meshservices": {}}))
    first = fleet.read(mesh_service("orders")).service
    later = fleet.read(mesh_service("orders", version=2) | {"status": {"stableRevision": 3}}).service
    assert first is not None
    assert later is not None
    assert later.status.stable_revision == 3
    assert later.spec is first.spec


def inputs(**changes: Any) -> Inputs:
    sea = Sea(a_service()).sail()
    given: dict[str, Any] = {
        "service": sea.service,
        "revisions": dict(sea.revisions),
        "routing": Routing({1: 100}, frozenset({1})),
        "scales": {1: 2},
    }
    return Inputs(**given | changes)


def test_nothing_is_rendered_again_where_only_statuses_changed() -> None:
    rendering, before = Rendering(), inputs()
    objects = rendering.of(ORDERS, before)
    service = before.service
    told = service.model_copy(update={"status": service.status.model_copy(update={"phase": "Degraded"})})
    revisions = {
        number: revision.model_copy(update={"status": revision.status.model_copy(update={"message": "x"})})
        for number, revision in before.revisions.items()
    }
    assert rendering.of(ORDERS, inputs(service=told, revisions=revisions)) is objects


def test_all_that_decides_how_objects_look_renders_them_anew() -> None:
    before = inputs()
    service = before.service
    meta = service.metadata
    changes: list[dict[str, Any]] = [
        {"service": service.model_copy(update={"spec": service.spec.model_copy(update={"replicas": 7})})},
        {"service": service.model_copy(update={"metadata": meta.model_copy(update={"uid": "another"})})},
        {"revisions": {}},
        {"routing": Routing({1: 100}, frozenset({1, 2}))},
        {"scales": {1: 3}},
        {"migrate": (1,)},
        {"live": {("Service", "orders"): "uid"}},
        {"callees": {("shop", "db"): None}},
        {"fencing": 9},
    ]
    for change in changes:
        rendering = Rendering()
        objects = rendering.of(ORDERS, before)
        assert rendering.of(ORDERS, inputs(**change)) is not objects, change
