"""Who must look again when a watch says something."""

from typing import Any

import pytest

from seatrial.control.keys import HostsKey, Key, ServiceKey
from seatrial.control.watches import Concerned, Watches
from seatrial.kube.credentials import Credentials

ORDERS, HOSTS = ServiceKey("shop", "orders"), HostsKey("shop")
LABELS = {"seatrial.dev/service": "orders", "app.kubernetes.io/managed-by": "seatrial"}


@pytest.fixture
def added() -> list[Key]:
    """The keys that were to be passed."""
    return []


@pytest.fixture
def watches(added: list[Key]) -> Watches:
    """Those of a process that nobody told anything yet."""
    return Watches(lease="seatrial", login=lambda: Credentials(""), add=added.append, beat=lambda: None)


def route(weight: int, *owners: str) -> dict[str, Any]:
    references = [{"kind": "MeshService", "name": "orders", "uid": uid, "controller": True} for uid in owners]
    meta = {"name": "orders-expose", "namespace": "shop", "uid": "1", "labels": LABELS, "ownerReferences": references}
    return {"kind": "VirtualService", "metadata": meta, "spec": {"weight": weight}}


def mesh_service(generation: int, stable: int) -> dict[str, Any]:
    meta = {"name": "orders", "namespace": "shop", "uid": "2", "generation": generation}
    return {"kind": "MeshService", "metadata": meta, "status": {"stableRevision": stable}}


def test_weights_concern_their_service_alone_and_owners_the_hosts_too(watches: Watches, added: list[Key]) -> None:
    watches._noticed_owned(route(10, "a"), False)
    assert set(added) == {ORDERS, HOSTS}
    added.clear()
    watches._noticed_owned(route(50, "a"), False)
    assert added == [ORDERS]
    watches._noticed_owned(route(50), False)
    assert HOSTS in added
    added.clear()
    watches._noticed_owned(route(50), True)
    assert HOSTS in added


def test_the_fleet_is_told_of_specs_and_not_of_statuses(watches: Watches, added: list[Key]) -> None:
    told: list[str] = []
    watches.concerned = Concerned(changed=lambda: told.append("changed"))
    for generation, stable in ((1, 0), (1, 1), (2, 1)):
        watches._noticed_service(mesh_service(generation, stable), False)
    assert len(told) == 2
    watches._noticed_service(mesh_service(2, 1), True)
    assert len(told) == 3
