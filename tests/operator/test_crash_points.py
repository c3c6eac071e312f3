"""An operator that dies around a few writes of a rollout; tests/soak has all of them."""

from collections.abc import Iterator

import pytest

from support.apart import Apart, Kills
from support.fixtures import a_place, image, kubectl, operators
from support.midway import Rule, Write, write_of
from support.operators import Operators
from support.place import Place
from support.striking import stage

__all__ = ["image", "kubectl", "operators"]

CHOSEN = ("virtualservices", "deployments")


@pytest.fixture
def place(image: str) -> Iterator[Place]:
    """A managed namespace."""
    yield from a_place("crash_points", image, "operator")


def test_a_rollout_ends_alike_where_its_operator_dies_around_routes_and_replicas(
    place: Place, operators: Operators
) -> None:
    def kills(apart: Apart) -> Rule:
        return Kills(apart, lambda write: write.kind in CHOSEN and write.name.endswith(("struck", "-2")))

    with stage(place, operators) as scene:
        calm = scene.tell("calm", "rollout")
        before = scene.apart.deaths
        struck = scene.tell("struck", "rollout", kills)
        assert scene.apart.deaths - before >= 4, "nobody died: nothing is proven"
    assert struck == calm


def test_writes_are_told_apart_by_what_they_do() -> None:
    path = "/apis/seatrial.dev/v1alpha1/namespaces/shop/revisions/orders-2/status"
    body = (
        b'{"status": {"role": "Canary", "attempts": [{"phase": "Shifting", "weight": {"wanted": 10, "verified": 0}}]}}'
    )
    write = write_of("PATCH", path, body, "shop")
    said = '["Shifting", {"verified": 0, "wanted": 10}, "Canary"]'
    assert write == Write("PATCH", "revisions/status", "orders-2", said)
    assert write_of("PATCH", path, body, "elsewhere") is None
    assert write_of("GET", path, b"", "shop") is None
    assert write_of("POST", "/api/v1/namespaces/shop/events", b"{}", "shop") is None
