from typing import Any

from seatrial.control.hosts import with_orphans, without_dying


def place(prefix: str, delegate: str) -> dict[str, Any]:
    matches = [{"uri": {"exact": prefix}}, {"uri": {"prefix": f"{prefix}/"}}]
    return ({"match": matches} if prefix else {}) | {"delegate": {"name": delegate, "namespace": "shop"}}


def root(*routes: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "VirtualService",
        "metadata": {"name": "shop", "annotations": {"seatrial.dev/content": "x"}, "ownerReferences": []},
        "spec": {"hosts": ["shop.local"], "http": list(routes)},
    }


def test_the_place_of_a_service_that_serves_without_its_object_stays() -> None:
    live = root(place("/orders", "orders-expose"), place("", "gateway-expose"))
    kept = with_orphans(root(place("", "gateway-expose")), live, frozenset({"orders-expose"}))
    assert kept["spec"]["http"] == live["spec"]["http"]
    assert kept["metadata"]["annotations"]["seatrial.dev/content"] != "x"


def test_the_place_of_a_service_that_is_gone_goes() -> None:
    live = root(place("/orders", "orders-expose"), place("", "gateway-expose"))
    desired = root(place("", "gateway-expose"))
    assert with_orphans(desired, live, frozenset()) == desired


def test_a_place_that_another_service_took_is_its_own() -> None:
    live = root(place("/orders", "orders-expose"))
    desired = root(place("/orders", "new-expose"))
    assert with_orphans(desired, live, frozenset({"orders-expose"})) == desired


def test_longer_places_come_first() -> None:
    live = root(place("/a", "a-expose"), place("", "gateway-expose"))
    kept = with_orphans(root(place("/a/b", "b-expose"), place("", "gateway-expose")), live, frozenset({"a-expose"}))
    assert [r["delegate"]["name"] for r in kept["spec"]["http"]] == ["b-expose", "a-expose", "gateway-expose"]


def owned(*uids: str) -> dict[str, Any]:
    references = [{"kind": "MeshService", "uid": uid} for uid in uids]
    return {"kind": "Gateway", "metadata": {"name": "shop", "resourceVersion": "7", "ownerReferences": references}}


def test_an_owner_that_is_being_deleted_is_not_given_back() -> None:
    written = without_dying(owned("orders", "catalog"), owned("catalog"), frozenset({"orders"}))
    assert written["metadata"]["ownerReferences"] == owned("catalog")["metadata"]["ownerReferences"]
    assert written["metadata"]["resourceVersion"] == "7", "nor in a race with the garbage collector"


def test_an_owner_that_is_being_deleted_is_not_taken_either() -> None:
    both = owned("orders", "catalog")
    assert without_dying(both, both, frozenset({"orders"})) == both
    assert without_dying(both, None, frozenset({"orders"})) == both
