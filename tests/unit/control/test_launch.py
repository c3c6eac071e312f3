"""How the objects of a new service come: each once, with its owners, and in an order that is safe."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from seatrial.api.meshservice import MeshService
from seatrial.api.revision import Revision, template_of
from seatrial.control.keys import Key, ServiceKey
from seatrial.control.launch import launch, names_needed, uids_to_come
from seatrial.control.writer import Live, Name, Writer
from seatrial.render import Inputs, Object, render
from seatrial.rollout.world import Routing

KEY = ServiceKey("shop", "orders")
SPEC = {"image": "orders:dev", "replicas": 2, "expose": [{"host": "shop.local"}]}
FREE = frozenset({("Service", "orders")})


class Log(Writer):
    """Writes nowhere. Each object gets the uid `<kind>/<name>`."""

    def __init__(self) -> None:
        self.made: list[Object] = []
        self.free: set[frozenset[Name]] = set()

    async def put(
        self, key: Key, desired: Iterable[Object], live: Live, free: Collection[Name] = ()
    ) -> dict[Name, str]:
        assert (key, live) == (KEY, {})
        self.free.add(frozenset(free))
        new = list(desired)
        self.made += new
        return {(o["kind"], o["metadata"]["name"]): uid(o) for o in new}


def uid(obj: Object) -> str:
    return f"{obj['kind']}/{obj['metadata']['name']}"


def inputs(spec: Mapping[str, Any]) -> Inputs:
    service = MeshService.parse(
        {"metadata": {"name": "orders", "namespace": "shop", "uid": "ms"}, "spec": {"port": 8080, **SPEC, **spec}}
    )
    frozen = {"service": "orders", "number": 1, "hash": "0" * 12, "template": template_of(service.spec)}
    revision = Revision.parse({"metadata": {"name": "orders-1", "namespace": "shop"}, "spec": frozen})
    routes = Routing({1: 100}, frozenset({1})) if service.spec.service_ports else Routing()
    return Inputs(service=service, revisions={1: revision}, routing=routes, scales={1: 2})


async def launched(**spec: Any) -> tuple[list[Object], list[Object]]:
    """What was made in its order, and what is rendered once all of it is there."""
    given, log = inputs(spec), Log()
    await launch(log, KEY, render(replace(given, live=uids_to_come(render(given)))), FREE)
    assert log.free == {FREE}
    there = {(o["kind"], o["metadata"]["name"]): uid(o) for o in log.made}
    return log.made, render(replace(given, live=there))


@pytest.mark.parametrize("spec", [{}, {"port": None, "expose": []}, {"autoscaling": {"min": 1, "max": 3}}])
async def test_each_object_is_made_once(spec: dict[str, Any]) -> None:
    made, rendered = await launched(**spec)
    assert sorted(map(uid, made)) == sorted(map(uid, rendered))


async def test_only_subsets_are_written_again_for_their_owners() -> None:
    made, rendered = await launched()
    again = {uid(o) for o in rendered if o not in made}
    assert again == {"DestinationRule/orders"}


async def test_subsets_come_before_routes_and_both_before_pods_and_what_pods_need_too() -> None:
    made, _ = await launched()
    order = [o["kind"] for o in made]
    assert order.index("DestinationRule") < order.index("VirtualService")
    needed = {"VirtualService", "Service", "ServiceAccount", "NetworkPolicy", "Sidecar", "AuthorizationPolicy"}
    assert all(order.index(kind) < order.index("Deployment") for kind in needed)
    assert order.index("Deployment") < order.index("PodDisruptionBudget")


def test_names_are_looked_for_but_that_of_the_revision() -> None:
    needed = {(kind.name, name) for kind, name in names_needed("orders", 1)}
    assert {("Deployment", "orders-1"), ("VirtualService", "orders-expose"), ("Service", "orders")} <= needed
    assert ("Revision", "orders-1") not in needed
