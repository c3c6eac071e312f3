"""The command line on a cluster that is a dictionary: its port is `Kube`, and what it says is what the user reads."""

import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from seatrial import cli
from seatrial.cli import cluster
from seatrial.kube.errors import ApiFailure, Conflict, NotFound
from seatrial.kube.kinds import Kind

Object = dict[str, Any]
Key = tuple[str, str | None, str]


@dataclass
class Harbour:
    """A cluster that holds objects, and perhaps a failure that every call ends with.

    `after_look` and `after_merge` are what happens meanwhile: somebody else's writes, and those of the operator.
    """

    objects: dict[Key, Object] = field(default_factory=dict)
    failure: ApiFailure | None = None
    after_look: Callable[[], None] = lambda: None
    after_merge: Callable[[], None] = lambda: None
    refuses: ApiFailure | None = None
    unknown: set[str] = field(default_factory=set)
    closed: int = 0

    def add(self, *objects: Object) -> None:
        for obj in objects:
            meta = obj["metadata"]
            self.objects[obj["kind"], meta.get("namespace"), meta["name"]] = deepcopy(obj)

    def namespace(self, name: str) -> Object:
        return self.objects["Namespace", None, name]

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object:
        self._fail(kind)
        try:
            return self.objects[kind.name, namespace, name]
        except KeyError:
            raise NotFound(f'{kind.plural} "{name}" not found') from None

    async def find(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        try:
            return await self.get(kind, name, namespace)
        except NotFound:
            return None

    async def list(
        self, kind: Kind, namespace: str | None = None, *, labels: dict[str, str] | None = None
    ) -> list[Object]:
        self._fail(kind)
        found = [o for (k, n, _), o in self.objects.items() if k == kind.name and namespace in {None, n}]
        matching = [o for o in found if (labels or {}).items() <= (o["metadata"].get("labels") or {}).items()]
        seen = deepcopy(matching)
        if kind.name == "Revision":
            self.after_look()
        return seen

    async def apply(self, obj: Object, *, force: bool = False) -> Object:
        """As server-side apply by the one manager there is: labels given before and not now go away."""
        assert self.failure is None or force
        self.add(obj)
        return obj

    async def merge(self, kind: Kind, name: str, namespace: str | None, patch: Object) -> Object:
        if self.refuses is not None:
            raise self.refuses
        meta, changed = (await self.get(kind, name, namespace))["metadata"], dict(patch["metadata"])
        version = changed.pop("resourceVersion", None)
        if version not in {None, meta.get("resourceVersion")}:
            raise Conflict("the object has been modified")
        for part, values in changed.items():
            whole = meta.setdefault(part, {}) | values
            meta[part] = {k: v for k, v in whole.items() if v is not None}
        self.after_merge()
        return patch

    async def delete(self, kind: Kind, name: str, namespace: str | None = None) -> None:
        self.objects.pop((kind.name, namespace, name), None)

    async def close(self) -> None:
        self.closed += 1

    def _fail(self, kind: Kind) -> None:
        if self.failure is not None:
            raise self.failure
        if kind.plural in self.unknown:
            raise NotFound("404 page not found")


@pytest.fixture
def harbour(monkeypatch: pytest.MonkeyPatch) -> Iterator[Harbour]:
    """The cluster of the kubeconfig; its context names the namespace `shop`, which is there."""
    there = Harbour()
    there.add({"kind": "Namespace", "metadata": {"name": "shop"}})
    config = SimpleNamespace(cluster=SimpleNamespace(server="https://harbour:6443"), namespace="shop")
    monkeypatch.setattr(cluster, "configuration", lambda _: config)
    monkeypatch.setattr(cluster, "Kube", lambda _: there)
    yield there
    assert there.closed or not there.objects, "a connection was left open"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def seatrial(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run the command line as a user does, on 80 columns without colour."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*args: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["seatrial", *args])
        code: object = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return Ended(code if isinstance(code, int) else 0, out, err)

    return run
