"""Bad input of every kind: refused at the door, or told as a condition with its remedy; the last good state serves."""

from typing import Any

import pytest

from support.kubectl import Kubectl
from support.place import Place
from support.services import Json, Service
from support.traffic import nothing_lost
from support.waiting import eventually


@pytest.fixture(scope="module")
def good(shared: Place) -> Service:
    """A service in a good state."""
    service = shared.service("orders", rollout={"progressDeadline": "25s"})  # a busy node needs 13 s to miss a Secret
    service.apply()
    service.await_stable(1)
    return service


def port(name: str, number: int, target: int = 8080) -> Json:
    return {"name": name, "port": number, "targetPort": target}


REFUSED: dict[str, tuple[Json, list[str]]] = {
    "steps that don't rise": (
        {"rollout": {"steps": [25, 10]}},
        ["steps are [25, 10]: each must be higher than the one before it", "write them rising between 1 and 99"],
    ),
    "a step twice": ({"rollout": {"steps": [25, 25]}}, ["each must be higher than the one before it"]),
    "step 0": ({"rollout": {"steps": [0, 10]}}, ["spec.rollout.steps[0]", "greater than or equal to 1"]),
    "step 100": ({"rollout": {"steps": [10, 100]}}, ["spec.rollout.steps[1]", "less than or equal to 99"]),
    "a service that calls itself": (
        {"security": {"calls": [{"service": "orders"}]}},
        ["orders calls itself", "take it out of its own calls and callers"],
    ),
    "a service that is its own caller": ({"security": {"callers": [{"service": "orders"}]}}, ["orders calls itself"]),
    "port 0": ({"port": 0}, ["spec.port", "greater than or equal to 1"]),
    "port 65536": ({"port": 65536}, ["spec.port", "less than or equal to 65535"]),
    "a target port out of range": (
        {"port": None, "ports": [port("http", 80, 70000)]},
        ["spec.ports[0].targetPort", "less than or equal to 65535"],
    ),
    "a port number twice": (
        {"port": None, "ports": [port("http", 80), port("admin", 80)]},
        ["a number is there twice", "give each port its own number"],
    ),
    "a port name twice": ({"port": None, "ports": [port("http", 80), port("http", 81)]}, ["Duplicate value"]),
    "port and ports": ({"ports": [port("http", 80)]}, ["keep one: port is short for one http port"]),
    "a field that doesn't exist": ({"trafic": {}}, ["unknown field", "trafic"]),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_the_schema_can_refuse_is_refused_at_the_door(good: Service, shared: Place, kind: str) -> None:
    change, words = REFUSED[kind]
    before = good.the()["metadata"]["generation"]
    said = good.kubectl.refusal(good.changed(**change).manifest)
    assert all(word in said for word in words), said
    assert good.the()["metadata"]["generation"] == before
    assert shared.edge.get("/v1/identity").status == 200


def test_a_caller_that_does_not_exist_is_named_and_the_service_serves(good: Service, shared: Place) -> None:
    with shared.load() as load:
        good.apply(security={"callers": [{"ingress": {}}, {"service": "ghost"}]})
        _is_told(good, "ResolvedRefs", "there is no MeshService ghost", "create it, or take the caller out")
        _still_serves(good)
        good.apply(security={"callers": [{"ingress": {}}]})
        eventually(lambda: good.condition("ResolvedRefs").get("status") == "True", within=20)
        nothing_lost(load.stop())


def test_a_place_at_the_edge_belongs_to_who_had_it_first(good: Service, shared: Place) -> None:
    elsewhere = [{"host": shared.edge.host, "prefix": "/rival", "rewrite": "/"}]
    rival = shared.service("rival", expose=elsewhere)
    rival.apply()
    rival.await_ready()
    with shared.load() as load:
        rival.apply(expose=[{"host": shared.edge.host, "prefix": "/"}])
        _is_told(rival, "Accepted", "is exposed by", "orders", "choose another host or prefix")
        _still_serves(rival)
        assert shared.edge.get("/rival/v1/identity").status == 200, "its last good place"
        seen = load.stop()
    nothing_lost(seen)
    assert set(seen.split("rival").counts) == set(), "it took traffic from the older one"
    rival.apply(expose=elsewhere)
    eventually(lambda: rival.condition("Accepted").get("status") == "True", within=20)


def test_an_image_that_cannot_be_pulled_is_named_and_fails_at_its_deadline(good: Service, shared: Place) -> None:
    with shared.load() as load:
        image = good.spec["image"]
        good.apply(image="seatrial/nowhere:1")
        _is_told(good, "ResolvedRefs", "seatrial/nowhere:1")
        _fails_and_goes_back(good, {"image": image})
        nothing_lost(load.stop())


def test_a_secret_that_is_missing_is_named_and_fails_at_its_deadline(good: Service, shared: Place) -> None:
    with shared.load() as load:
        good.apply(envFrom=[{"secretRef": {"name": "no-such-secret"}}])
        _is_told(good, "ResolvedRefs", "no-such-secret")
        _fails_and_goes_back(good, {"envFrom": None})
        nothing_lost(load.stop())


def test_a_namespace_that_is_not_managed_is_left_alone(place: Place, kubectl: Kubectl) -> None:
    kubectl("label", "namespace", place.namespace, "seatrial.dev/managed-")
    service = place.service("orders")
    service.apply()
    _is_told(service, "Accepted", f"seatrial namespace {place.namespace}")
    assert not place.kubectl.list("deployments,virtualservices,services,revisions"), "something was written"

    kubectl("label", "namespace", place.namespace, "seatrial.dev/managed=true")
    service.await_ready()


def _is_told(service: Service, kind: str, *words: str) -> None:
    """The condition is False with these words, and a Warning says the same."""

    def told() -> bool:
        condition = service.condition(kind)
        message = f"{condition.get('message')}"
        return condition.get("status") == "False" and all(word in message for word in words)

    eventually(told, within=30, what=f"{kind} is False and says {words}")

    def announced() -> bool:
        events = service.kubectl.list("events")
        warnings = [e for e in events if e["involvedObject"]["name"] == service.name and e["type"] == "Warning"]
        notes = [e["message"] for e in warnings]
        return any(all(word in note for word in words) for note in notes)

    eventually(announced, within=15, what=f"a Warning says {words}")


def _still_serves(service: Service) -> None:
    assert service.is_ready(), service.condition("Ready")


def _fails_and_goes_back(service: Service, change: dict[str, Any]) -> None:
    """The revision fails at its deadline without a request, and the good template is stable as it was."""
    target = service.status()["targetRevision"]
    failed = service.await_phase(target, "Failed", within=40)
    assert [e["weight"] for e in failed["history"]] == [0] * len(failed["history"])
    _still_serves(service)
    service.apply(**change)
    service.await_stable(1)
    eventually(lambda: service.condition("ResolvedRefs").get("status") == "True", within=20)
