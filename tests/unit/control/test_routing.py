from typing import Any

from seatrial.control.routing import read_routing

HOST = "orders.shop.svc.cluster.local"


def rule(*subsets: str) -> dict[str, Any]:
    return {"spec": {"subsets": [{"name": s} for s in subsets]}}


def routes(*weights: dict[str, int], tcp: bool = False) -> dict[str, Any]:
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
