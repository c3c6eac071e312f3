"""The cluster a command works on, and what it reads there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from seatrial.api.base import Model, ObjectMeta
from seatrial.api.meshservice import MeshServiceStatus, Rollout
from seatrial.api.revision import Revision
from seatrial.cli.complaint import Complaint, complaint
from seatrial.kube.client import Kube, Object, configuration
from seatrial.kube.errors import ApiFailure, Forbidden, NotFound
from seatrial.kube.kinds import MESH_SERVICE, NAMESPACE, REVISION, Kind

T = TypeVar("T")


@dataclass(frozen=True)
class Cluster:
    """A connection, and the namespace that the user's context names."""

    kube: Kube
    server: str
    namespace: str

    async def the(self, kind: Kind, name: str, namespace: str) -> Object:
        """One object that the user named: without it a sentence that says what is missing, be it its namespace."""
        found = await self.kube.find(kind, name, namespace)
        if found is None:
            await self.list(kind, namespace)  # complains where the kind or the namespace is missing
            raise Complaint(
                f"there is no {kind.name} {name} in namespace {namespace}", f"see `seatrial status -n {namespace}`"
            )
        return found

    async def list(self, kind: Kind, namespace: str | None) -> list[Object]:
        """All objects of a kind, with None of all namespaces."""
        try:
            found = await self.kube.list(kind, namespace)
        except NotFound as error:
            raise complaint(error, server=self.server, about=kind.plural) from error
        if not found and namespace is not None:
            await self.must_exist(namespace)
        return found

    async def must_exist(self, namespace: str) -> None:
        """Complain about a namespace that isn't there; one that can't be asked for may be."""
        try:
            await self.kube.get(NAMESPACE, namespace)
        except NotFound as error:
            raise Complaint(f"there is no namespace {namespace}", "see `kubectl get namespaces`") from error
        except Forbidden:
            return


@asynccontextmanager
async def connected(context: str | None) -> AsyncIterator[Cluster]:
    """The cluster of a context of the kubeconfig (None: the current one, or that of the pod we run in)."""
    try:
        config = configuration(context)
    except ApiFailure as error:
        raise complaint(error) from error
    server = str(config.cluster.server)
    kube = Kube(config)
    try:
        yield Cluster(kube, server, config.namespace or "default")
    except ApiFailure as error:
        raise complaint(error, server=server) from error
    finally:
        await kube.close()


def on_cluster(context: str | None, work: Callable[[Cluster], Awaitable[T]]) -> T:
    """Run a command's work with a connection."""

    async def whole() -> T:
        async with connected(context) as cluster:
            return await work(cluster)

    return asyncio.run(whole())


@dataclass(frozen=True)
class Seen:
    """A MeshService as `status` shows it. What isn't accepted may have any spec: its steps are read if they can be."""

    metadata: ObjectMeta
    status: MeshServiceStatus
    rollout: Rollout
    paused: bool
    revisions: tuple[Revision, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return (self.metadata.namespace, self.metadata.name)

    def data(self) -> dict[str, Any]:
        """For ``--output``."""
        return {
            "namespace": self.metadata.namespace,
            "name": self.metadata.name,
            "paused": self.paused,
            "steps": list(self.rollout.steps),
            "status": self.status.model_copy(update={"accepted_spec": None}).dump(),
            "revisions": [
                {"name": r.metadata.name, "number": r.spec.number, "image": r.spec.template.image} | r.status.dump()
                for r in self.revisions
            ],
        }


async def services(cluster: Cluster, namespace: str | None, name: str | None = None) -> list[Seen]:
    """The MeshServices of a namespace (None: of all), or the one that is called so, with their revisions."""
    if name is not None and namespace is not None:
        found = [await cluster.the(MESH_SERVICE, name, namespace)]
    else:
        found = await cluster.list(MESH_SERVICE, namespace)
    revisions = [Revision.parse(o) for o in await cluster.kube.list(REVISION, namespace)]
    return sorted((seen(o, revisions) for o in found), key=lambda s: s.key)


def seen(obj: Object, revisions: list[Revision]) -> Seen:
    """What is there to show of a MeshService, whatever state it is in."""
    metadata = ObjectMeta.parse(obj["metadata"])
    spec = obj.get("spec") or {}
    own = [r for r in revisions if (r.metadata.namespace, r.spec.service) == (metadata.namespace, metadata.name)]
    return Seen(
        metadata=metadata,
        status=MeshServiceStatus.parse(obj.get("status") or {}),
        rollout=_readable(Rollout, spec.get("rollout")),
        paused=spec.get("paused") is True,
        revisions=tuple(sorted(own, key=lambda r: r.spec.number)),
    )


M = TypeVar("M", bound=Model)


def _readable(model: type[M], data: object) -> M:
    try:
        return model.parse(data or {})
    except ValidationError:
        return model()
