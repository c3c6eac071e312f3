"""Statuses as they are written: over the version that was seen, what differs alone, and not each time."""

from datetime import UTC, datetime
from typing import Any

import pytest

from seatrial.control.cache import Written
from seatrial.control.keys import ServiceKey
from seatrial.control.pace import APART
from seatrial.control.statuses import Teller
from seatrial.control.writer import Writer
from seatrial.kube.client import Kube
from seatrial.kube.kinds import Kind
from seatrial.kube.lease import Lost

KEY = ServiceKey("shop", "orders")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Server(Kube):
    """Answers as an API server would, and remembers the patches of statuses, and the Events."""

    def __init__(self) -> None:
        self.patches: list[dict[str, Any]] = []
        self.events: list[str] = []

    async def merge(
        self, kind: Kind, name: str, namespace: str | None, patch: dict[str, Any], *, status: bool = False
    ) -> dict[str, Any]:
        assert (kind.name, name, namespace, status) == ("MeshService", "orders", "shop", True)
        self.patches.append(patch)
        return {"kind": kind.name, "metadata": {"name": name, "namespace": namespace, "resourceVersion": "8"}}

    async def create(self, obj: dict[str, Any]) -> dict[str, Any]:
        self.events.append(obj["reason"])
        return obj


class Stage:
    def __init__(self) -> None:
        self.server, self.now, self.term = Server(), 100.0, 7
        writer = Writer(self.server, Written(), self.fencing, lambda: self.now)
        self.teller = Teller(self.server, writer, instance="me", now=lambda: NOW, clock=lambda: self.now)

    def fencing(self) -> int:
        if not self.term:
            raise Lost("gone")
        return self.term

    async def refuse(self, why: str, status: dict[str, Any] | None = None) -> float | None:
        """The one status that needs no decision."""
        meta = {"name": "orders", "namespace": "shop", "uid": "u", "generation": 1, "resourceVersion": "7"}
        raw = {"apiVersion": "seatrial.dev/v1alpha1", "kind": "MeshService", "metadata": meta, "status": status or {}}
        return await self.teller.refuse(KEY, raw, (why,), "Invalid")

    def status(self) -> dict[str, Any]:
        """As the first write left it."""
        found: dict[str, Any] = self.server.patches[0]["status"]
        return found


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_a_status_is_written_over_the_version_that_was_seen(stage: Stage) -> None:
    await stage.refuse("no")
    assert stage.server.patches[0]["metadata"] == {"resourceVersion": "7"}
    assert stage.server.events == ["Invalid"]


async def test_what_is_there_is_not_written_again(stage: Stage) -> None:
    await stage.refuse("no")
    await stage.refuse("no", stage.status())
    assert len(stage.server.patches) == 1


async def test_only_what_differs_travels(stage: Stage) -> None:
    await stage.refuse("no")
    before = stage.status()
    stage.now += 10
    await stage.refuse("never", before)
    assert set(stage.server.patches[1]["status"]) == {"conditions"}


async def test_another_wording_waits_for_its_turn_and_so_does_its_event(stage: Stage) -> None:
    await stage.refuse("no")
    before = stage.status()
    assert await stage.refuse("never", before) == APART
    assert (len(stage.server.patches), stage.server.events) == (1, ["Invalid"])
    stage.now += APART
    assert await stage.refuse("never", before) is None
    assert (len(stage.server.patches), stage.server.events) == (2, ["Invalid", "Invalid"])


async def test_no_status_is_written_without_the_lease(stage: Stage) -> None:
    stage.term = 0
    with pytest.raises(Lost):
        await stage.refuse("no")
    assert stage.server.patches == []
