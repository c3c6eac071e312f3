import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from seatrial.api.meshservice import MeshService
from seatrial.control.routing import read_routing
from seatrial.evidence.carried import Wanted, matches
from seatrial.evidence.istiod import Config
from seatrial.render import Inputs, render
from seatrial.rollout.world import Mirror, Routing
from support.routings import STRATEGIES, moving, rollout_of

Json = dict[str, Any]
HOST = "orders.shop.svc.cluster.local"


def rule(*subsets: str) -> Json:
    return {"spec": {"subsets": [{"name": s} for s in subsets]}}


def routes(*weights: dict[str, int], tcp: bool = False) -> Json:
    parts = [
        {"route": [{"destination": {"host": HOST, "subset": s}, "weight": w} for s, w in route.items()]}
        for route in weights
    ]
    return {"spec": {"tcp" if tcp else "http": parts}}


def test_weights_and_subsets_are_read_back() -> None:
    routing = read_routing(routes({"r1": 90, "r2": 10}), rule("r1", "r2"), HOST)
    assert (dict(routing.weights), routing.subsets) == ({1: 90, 2: 10}, frozenset({1, 2}))


def test_nothing_is_there_without_objects() -> None:
    routing = read_routing(None, None, HOST)
    assert (dict(routing.weights), routing.subsets) == ({}, frozenset())


def test_a_service_of_tcp_alone_has_weights_too() -> None:
    assert dict(read_routing(routes({"r1": 50, "r2": 50}, tcp=True), rule("r1", "r2"), HOST).weights) == {1: 50, 2: 50}


def test_one_destination_without_a_weight_has_it_all() -> None:
    service = {"spec": {"http": [{"route": [{"destination": {"host": HOST, "subset": "r3"}}]}]}}
    assert dict(read_routing(service, rule("r3"), HOST).weights) == {3: 100}


def test_a_weight_of_zero_routes_nothing() -> None:
    assert dict(read_routing(routes({"r1": 100, "r2": 0}), rule("r1", "r2"), HOST).weights) == {1: 100}


def test_weights_that_somebody_broke_count_as_those_of_the_heaviest() -> None:
    assert dict(read_routing(routes({"r1": 90, "r2": 20}), rule("r1", "r2"), HOST).weights) == {1: 100}


def test_the_last_route_counts_since_it_takes_what_no_other_matches() -> None:
    service = routes({"r1": 10, "r2": 90}, {"r1": 90, "r2": 10})
    assert dict(read_routing(service, rule("r1", "r2"), HOST).weights) == {1: 90, 2: 10}


def test_destinations_elsewhere_are_not_ours() -> None:
    service = {"spec": {"http": [{"route": [{"destination": {"host": "else", "subset": "r1"}, "weight": 100}]}]}}
    assert dict(read_routing(service, rule("r1"), HOST).weights) == {}


def test_a_routed_revision_whose_subset_was_deleted_still_counts_as_routed() -> None:
    routing = read_routing(routes({"r1": 100}), rule(), HOST)
    assert routing.routed == {1}


POLICIES = st.sampled_from(
    [
        {},
        {"retries": {"attempts": 0}},
        {
            "routes": [
                {"match": {"method": "POST"}},
                {"match": {"path": {"prefix": "/v1"}, "headers": {"x-beta": "no"}}},
            ]
        },
        {"routes": [{"match": {"headers": {"Cookie": "plan=gold"}}}, {"match": {"path": {"regex": "/a.*"}}}]},
    ]
)
PLACES = st.sampled_from([[{"host": "a.localhost", "prefix": "/a", "rewrite": "/"}], [{"host": "a.localhost"}]])


def live(strategy: str, routing: Routing, traffic: Json, expose: list[Json]) -> list[Json]:
    spec = {"image": "x", "port": 8080, "rollout": rollout_of(strategy), "traffic": traffic, "expose": expose}
    meta = {"name": "orders", "namespace": "shop", "uid": "u"}
    return render(Inputs(MeshService.parse({"metadata": meta, "spec": spec}), {}, routing, {}))


def found(objects: list[Json], kind: str, name: str = "orders") -> Json | None:
    return next((o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name)), None)


def read(objects: list[Json]) -> Routing:
    delegate = found(objects, "VirtualService", "orders-expose")
    return read_routing(found(objects, "VirtualService"), found(objects, "DestinationRule"), HOST, delegate)


@given(st.data(), STRATEGIES, POLICIES, PLACES)
def test_what_was_rendered_is_read_back(data: st.DataObject, strategy: str, traffic: Json, expose: list[Json]) -> None:
    routing = data.draw(moving(strategy))
    assert read(live(strategy, routing, traffic, expose)) == routing


@given(st.data(), STRATEGIES, POLICIES, PLACES)
def test_the_routes_do_what_a_routing_says_that_they_do_and_nothing_else(
    data: st.DataObject, strategy: str, traffic: Json, expose: list[Json]
) -> None:
    routing = data.draw(moving(strategy))
    config = Config(json.dumps(live(strategy, routing, traffic, expose)).encode())
    assert matches(config.of(HOST), Wanted(HOST, routing.splits, routing.subsets))


def test_marked_requests_whose_route_was_deleted_by_hand_are_marked_no_more() -> None:
    objects = live("blueGreen", Routing({1: 100}, frozenset({1, 2}), marked=2), {}, [])
    service = found(objects, "VirtualService")
    assert service is not None
    service["spec"]["http"] = [r for r in service["spec"]["http"] if not r["name"].endswith(".marked")]
    assert read(objects).marked is None


def test_a_share_of_copies_that_was_edited_is_read_as_it_is() -> None:
    objects = live("mirror", Routing({1: 100}, frozenset({1, 2}), mirror=Mirror(2, 100)), {}, [])
    service = found(objects, "VirtualService")
    assert service is not None
    for route in service["spec"]["http"]:
        for copies in route.get("mirrors", ()):
            copies["percentage"]["value"] = 3
    assert read(objects).mirror == Mirror(2, 3)


def test_nobody_stays_where_weights_were_edited_so_that_one_has_all() -> None:
    service = routes({"r1": 100})
    delegate = {"spec": {"http": [{"name": "orders-1-default.kept-r2.7"}]}}
    assert read_routing(service, rule("r1", "r2"), HOST, delegate).sticky is None
