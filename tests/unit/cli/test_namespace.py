"""`seatrial namespace`: what the operator gets, and what it gives back."""

from collections.abc import Callable
from typing import Any

import pytest

from seatrial.api.names import FINALIZER

Run = Callable[..., Any]


def test_a_namespace_is_labelled_and_bound(harbour: Any, seatrial: Run) -> None:
    shown = seatrial("namespace", "shop")
    assert shown.code == 0
    assert harbour.namespace("shop")["metadata"]["labels"] == {
        "seatrial.dev/managed": "true",
        "istio-injection": "enabled",
        "pod-security.kubernetes.io/enforce": "restricted",
    }
    binding = harbour.objects["RoleBinding", "shop", "seatrial-operator"]
    assert binding["roleRef"]["name"] == "seatrial-namespace"
    assert binding["subjects"][0]["namespace"] == "seatrial-system"


def test_one_that_isnt_there_is_made(harbour: Any, seatrial: Run) -> None:
    assert seatrial("namespace", "zoo").code == 0
    assert harbour.namespace("zoo")["metadata"]["labels"]["seatrial.dev/managed"] == "true"


def test_it_is_given_back_with_its_services_left_serving(harbour: Any, seatrial: Run) -> None:
    seatrial("namespace", "shop")
    harbour.add({"kind": "MeshService", "metadata": {"name": "orders", "namespace": "shop"}})
    shown = seatrial("namespace", "shop", "--remove")
    assert "1 MeshServices go on serving" in shown.out
    assert harbour.namespace("shop")["metadata"]["labels"] == {}
    assert ("RoleBinding", "shop", "seatrial-operator") not in harbour.objects
    assert ("MeshService", "shop", "orders") in harbour.objects


def test_it_isnt_given_back_in_the_middle_of_a_rollout(harbour: Any, seatrial: Run) -> None:
    seatrial("namespace", "shop")
    harbour.add({"kind": "MeshService", "metadata": {"name": "orders", "namespace": "shop", "finalizers": [FINALIZER]}})
    shown = seatrial("namespace", "shop", "--remove")
    assert shown.code == 1
    assert "a rollout is under way in shop (orders)" in shown.err
    assert ("RoleBinding", "shop", "seatrial-operator") in harbour.objects


def test_it_is_given_back_when_seatrial_is_gone_already(harbour: Any, seatrial: Run) -> None:
    harbour.unknown = {"meshservices"}
    assert seatrial("namespace", "shop", "--remove").code == 0


def test_one_that_isnt_there_cant_be_given_back(harbour: Any, seatrial: Run) -> None:
    assert "there is no namespace zoo" in seatrial("namespace", "zoo", "--remove").err


@pytest.mark.parametrize("name", ["kube-system", "istio-system", "seatrial-system"])
def test_the_systems_own_namespaces_cant_be_chosen(harbour: Any, seatrial: Run, name: str) -> None:
    assert f"{name} belongs to the system" in seatrial("namespace", name).err
    assert f"{name} belongs to the system" in seatrial("namespace", name, "--remove").err
    assert harbour.closed == 2
