"""What a pass writes, and in which order: the reconciler with all that is its own, over a shelf for an API server."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from seatrial.api.names import LABEL_MANAGED_NAMESPACE
from seatrial.control.cache import Cache, Written
from seatrial.control.configs import Configs
from seatrial.control.fleet import Fleet
from seatrial.control.gauges import Gauges
from seatrial.control.judging import Judging
from seatrial.control.keys import ServiceKey
from seatrial.control.mesh import MeshView
from seatrial.control.observe import Observer
from seatrial.control.reconciler import Parts, Reconciler
from seatrial.control.statuses import Teller
from seatrial.control.writer import Writer
from seatrial.evidence.ask import Absent, Pod
from seatrial.kube.client import Kube
from seatrial.kube.errors import AlreadyExists
from seatrial.kube.kinds import MESH_SERVICE, NAMESPACE, OWNED, REVISION, Kind

KEY = ServiceKey("shop", "orders")
Object = dict[str, Any]
Indices = dict[str, Mapping[Any, list[Object]]]


class Nobody:
    """There are no pods to be asked."""

    async def get(self, pod: Pod, *, port: int, path: str) -> bytes:
        raise Absent(f"{pod.name}:{port}{path}")


class Shelf(Kube):
    """Keeps what is written, and says in `log` what that was. Events are told nobody."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Object] = {}
        self.log: list[str] = []

    async def find(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        assert namespace == KEY.namespace
        return self.objects.get((kind.name, name))

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object:
        return self.objects[kind.name, name]

    async def list(self, kind: Kind, *_: object, **__: object) -> list[Object]:
        return []

    async def create(self, obj: Object) -> Object:
        if obj["kind"] == "Event":
            return obj
        if (obj["kind"], obj["metadata"]["name"]) in self.objects:
            raise AlreadyExists("it is there")
        return self.put(obj, "create")

    async def apply(self, obj: Object, *, force: bool = False) -> Object:
        return self.put(obj, "heal" if force else "apply")

    async def merge(
        self, kind: Kind, name: str, namespace: str | None, patch: Object, *, status: bool = False
    ) -> Object:
        there = self.objects[kind.name, name]
        assert patch["metadata"]["resourceVersion"] == there["metadata"]["resourceVersion"]
        merged = there | {"metadata": there["metadata"] | patch["metadata"]}
        if status:
            merged["status"] = (there.get("status") or {}) | patch["status"]
        return self.put(merged, "status of" if status else "merge")

    def put(self, obj: Object, how: str = "") -> Object:
        """Store it as the next version."""
        name = (obj["kind"], obj["metadata"]["name"])
        uid = self.objects.get(name, obj)["metadata"].get("uid") or f"{len(self.objects)}"
        meta = obj["metadata"] | {"uid": uid, "resourceVersion": str(len(self.log) + 100)}
        self.objects[name] = obj | {"metadata": meta}
        self.log.append(f"{how} {name[0]}")
        return self.objects[name]

    def indices(self) -> Indices:
        """As watches would have shown all of it by now."""
        plurals = {kind.name: kind.plural for kind in (*OWNED, REVISION, MESH_SERVICE)}
        found: dict[str, Any] = {plural: {} for plural in plurals.values()}
        for (kind, _), obj in self.objects.items():
            found[plurals[kind]].setdefault(("shop", "orders"), []).append(obj)
        managed = {"metadata": {"name": "shop", "uid": "ns", "labels": {LABEL_MANAGED_NAMESPACE: "true"}}}
        return found | {NAMESPACE.plural: {"shop": [managed]}}


class Stage:
    def __init__(self) -> None:
        self.shelf, self.now = Shelf(), 1000.0
        self.indices: Indices = {}
        self.cache, written = Cache(self.indices), Written()
        fleet, configs = Fleet(self.cache), Configs(self.shelf, self.cache)
        mesh = MeshView(self.shelf, self.cache, Nobody(), self.clock)
        judging = Judging({}, clock=self.clock)
        writer = Writer(self.shelf, written, lambda: 7, self.clock)
        self.reconciler = Reconciler(
            Parts(
                cache=self.cache,
                fleet=fleet,
                configs=configs,
                mesh=mesh,
                observer=Observer(self.shelf, self.cache, fleet, configs, mesh, judging=judging, clock=self.clock),
                judging=judging,
                writer=writer,
                written=written,
                teller=Teller(
                    self.shelf, writer, instance="me", now=lambda: datetime(2026, 1, 1, tzinfo=UTC), clock=self.clock
                ),
                gauges=Gauges(),
                fencing=lambda: 7,
                clock=self.clock,
            )
        )
        meta = {"name": "orders", "namespace": "shop", "uid": "ms", "generation": 1}
        spec = {"image": "orders:dev", "port": 8080, "replicas": 2}
        self.shelf.put({"apiVersion": MESH_SERVICE.api_version, "kind": "MeshService", "metadata": meta, "spec": spec})
        self.shown()

    def clock(self) -> float:
        return self.now

    def shown(self) -> None:
        """The watches have seen everything."""
        self.indices.update(self.shelf.indices())

    async def reconcile(self) -> list[str]:
        """What one pass wrote."""
        before = len(self.shelf.log)
        await self.reconciler.reconcile(KEY)
        return self.shelf.log[before:]


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_a_new_service_is_written_in_one_pass(stage: Stage) -> None:
    written = await stage.reconcile()
    assert written[:2] == ["create Revision", "status of Revision"]
    assert written[2:5] == ["apply DestinationRule", "apply VirtualService", "apply Service"]
    assert sorted(written[5:9]) == [
        "apply AuthorizationPolicy",
        "apply NetworkPolicy",
        "apply ServiceAccount",
        "apply Sidecar",
    ]
    assert written[9:] == ["apply Deployment", "apply PodDisruptionBudget", "status of MeshService"]


async def test_a_pass_that_was_not_shown_yet_waits(stage: Stage) -> None:
    await stage.reconcile()
    assert await stage.reconcile() == []


async def test_the_next_pass_writes_what_goes_after_the_routes_and_no_status_so_soon(stage: Stage) -> None:
    await stage.reconcile()
    stage.shown()
    assert await stage.reconcile() == ["heal DestinationRule"]


async def test_what_is_only_read_is_told_later(stage: Stage) -> None:
    await stage.reconcile()
    stage.shown()
    await stage.reconcile()
    stage.shown()
    stage.now += 10
    assert await stage.reconcile() == ["status of Revision", "status of MeshService"]
    stage.shown()
    stage.now += 10
    assert await stage.reconcile() == []


async def test_a_service_whose_revision_was_made_before_its_operator_died_goes_on(stage: Stage) -> None:
    await stage.reconcile()
    revision = stage.shelf.objects["Revision", "orders-1"]
    other = Stage()
    other.shelf.put({k: v for k, v in revision.items() if k != "status"})
    written = await other.reconcile()
    assert written[0] == "status of Revision"
    assert "apply Deployment" in written


async def test_a_revision_of_which_a_watch_has_told_nothing_yet_is_waited_for(stage: Stage) -> None:
    await stage.reconcile()
    other = Stage()
    other.shelf.put(stage.shelf.objects["Revision", "orders-1"])
    assert await other.reconcile() == []
