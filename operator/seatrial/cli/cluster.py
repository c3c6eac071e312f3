"""The cluster a command works on, and what it reads there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeVar

from seatrial.api.names import LABEL_SERVICE
from seatrial.api.revision import Revision
from seatrial.cli.complaint import Complaint, complaint
from seatrial.cli.seen import Seen, seen
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
            others = await self.list(kind, namespace)  # complains where the kind or the namespace is missing
            raise Complaint(
                f"there is no {kind.name} {name} in namespace {namespace}",
                await self._likely(kind, name, namespace, [o["metadata"]["name"] for o in others]),
            )
        return found

    async def _likely(self, kind: Kind, name: str, namespace: str, others: Sequence[str]) -> str:
        """What the user may have meant."""
        if near := get_close_matches(name, others):
            return f"did you mean {' or '.join(near)}?"
        try:
            everywhere = await self.kube.list(kind)
        except Forbidden:
            everywhere = []
        if elsewhere := [o["metadata"]["namespace"] for o in everywhere if o["metadata"]["name"] == name]:
            return f"there is one in namespace {elsewhere[0]}: add -n {elsewhere[0]}"
        return f"see `seatrial status -n {namespace}`"

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


async def services(cluster: Cluster, namespace: str | None) -> list[Seen]:
    """The MeshServices of a namespace (None: of all) with their revisions."""
    found = await cluster.list(MESH_SERVICE, namespace)
    revisions = [Revision.parse(o) for o in await cluster.kube.list(REVISION, namespace)]
    return sorted((seen(o, revisions) for o in found), key=lambda s: s.key)


async def service(cluster: Cluster, name: str, namespace: str | None) -> Seen:
    """The MeshService that the user named (without a namespace: in that of his context) with its revisions."""
    where = namespace or cluster.namespace
    found = await cluster.the(MESH_SERVICE, name, where)
    revisions = await cluster.kube.list(REVISION, where, labels={LABEL_SERVICE: name})
    return seen(found, [Revision.parse(o) for o in revisions])
