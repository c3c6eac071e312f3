"""What belongs to somebody else is left alone; what belongs to Seatrial is put right."""

import time
from typing import Any

import pytest

from support.kubectl import Object
from support.place import Place
from support.services import Service, name_of, weights_of
from support.traffic import nothing_lost
from support.waiting import always, eventually

HEALED_WITHIN = 10.0
SEEN_AFTER = 2.0  # a look of ours itself takes time on a busy machine


def test_a_foreign_object_of_a_needed_name_is_left_alone(place: Place) -> None:
    foreign = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "orders", "namespace": place.namespace},
        "spec": {"selector": {"app": "somebody-elses"}, "ports": [{"name": "http", "port": 80}]},
    }
    place.kubectl.apply(foreign)
    before = place.kubectl.the("service", "orders")
    service = place.service("orders")
    service.apply()

    refused = eventually(lambda: _false(service.condition("Accepted")), within=30, what="Accepted is False")

    assert refused["reason"] == "NameTaken"
    assert "orders" in refused["message"]
    assert place.kubectl.the("service", "orders") == before
    mine = "deployments,virtualservices,destinationrules,authorizationpolicies,sidecars,serviceaccounts,revisions"
    assert not place.kubectl.list(mine, "seatrial.dev/service=orders"), "something was written beside it"

    place.kubectl.delete("service", "orders")
    service.await_ready()


@pytest.fixture(scope="module")
def paused(shared: Place) -> Service:
    """A service in mid-rollout, held at 30 %."""
    service = shared.service("orders", rollout={"hold": "20s"})
    service.apply()
    service.await_stable(1)
    service.release("two")
    service.await_weight(2, 30)
    service.apply(paused=True)
    service.await_phase(2, "Paused")
    return service


@pytest.mark.parametrize("name", ["orders", "orders-expose"])
def test_a_deleted_virtual_service_comes_back_with_its_weights(paused: Service, name: str) -> None:
    paused.kubectl.delete("virtualservice", name)
    _heals(lambda: _weights(paused, name) == {"r1": 70, "r2": 30})


@pytest.mark.parametrize("name", ["orders", "orders-expose"])
def test_an_edited_weight_is_put_right_and_costs_no_request(paused: Service, shared: Place, name: str) -> None:
    with shared.load() as load:
        edited = paused.kubectl.the("virtualservice", name)["spec"]
        for route in edited["http"]:
            for destination, weight in zip(route["route"], (50, 50), strict=True):
                destination["weight"] = weight
        paused.kubectl.patch("virtualservice", name, {"spec": edited})
        _heals(lambda: _weights(paused, name) == {"r1": 70, "r2": 30})
        nothing_lost(load.stop())


def test_a_deployment_scaled_by_hand_is_scaled_back_and_costs_no_request(paused: Service, shared: Place) -> None:
    before = paused.kubectl.the("deployment", "orders-1")["spec"]["replicas"]
    with shared.load() as load:
        paused.kubectl("scale", "deployment", "orders-1", f"--replicas={before + 1}")
        _heals(lambda: paused.kubectl.the("deployment", "orders-1")["spec"]["replicas"] == before)
        nothing_lost(load.stop())


def test_a_label_taken_off_the_service_comes_back(paused: Service) -> None:
    paused.kubectl("label", "service", "orders", "seatrial.dev/service-")
    _heals(lambda: _labels(paused.kubectl.the("service", "orders")).get("seatrial.dev/service") == "orders")


def test_what_is_right_is_not_written_again(paused: Service) -> None:
    def versions() -> dict[str, str]:
        found = paused.kubectl.list("virtualservices,destinationrules,services,sidecars,serviceaccounts")
        specs = paused.kubectl.list("deployments")  # their statuses are others' to write
        return {f"{o['kind']}/{name_of(o)}": o["metadata"]["resourceVersion"] for o in found} | {
            name_of(d): str(d["metadata"]["generation"]) for d in specs
        }

    settled = eventually(lambda: _same(versions), within=20, what="nothing changes between two looks")
    always(lambda: versions() == settled, lasting=4, what="nobody writes")


def _heals(healed: Any) -> None:
    began = time.monotonic()
    eventually(healed, within=HEALED_WITHIN + SEEN_AFTER, every=0.2, what="it is healed")
    assert time.monotonic() - began <= HEALED_WITHIN + SEEN_AFTER


def _weights(service: Service, name: str) -> dict[str, int]:
    found = service.kubectl.get("virtualservice", name)
    return weights_of(found) if found else {}


def _labels(thing: Object) -> dict[str, str]:
    labels: dict[str, str] = thing["metadata"].get("labels", {})
    return labels


def _same(look: Any) -> Any:
    first = look()
    return first if look() == first else None


def _false(condition: dict[str, Any]) -> dict[str, Any]:
    return condition if condition.get("status") == "False" else {}
