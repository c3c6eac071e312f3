"""The one client of the Kubernetes API: plain dictionaries in and out, typed errors, a time limit on every call.

Beside `reach` and `transport` the only module that knows the library underneath. Objects of ours are written by
server-side apply under one field manager; `force` is for objects that are known to be ours, where it heals drift, and
never for others.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

import httpx2
from lightkube import ApiError, AsyncClient, KubeConfig
from lightkube.config.kubeconfig import SingleConfig
from lightkube.core.exceptions import ConfigError
from lightkube.generic_resource import create_global_resource, create_namespaced_resource
from lightkube.types import CascadeType, PatchType
from yaml import YAMLError

from seatrial.api.names import FIELD_MANAGER
from seatrial.kube.errors import ApiFailure, NotFound, Unavailable, Unconfigured, failure
from seatrial.kube.kinds import ALL, Kind, kind_of
from seatrial.kube.transport import Transport

Object = dict[str, Any]
T = TypeVar("T")

CALL_TIMEOUT = 10.0
MANY, FEW = 500, 100  # objects in one answer to a list
_RESOURCES: dict[Kind, Any] = {
    kind: (create_namespaced_resource if kind.namespaced else create_global_resource)(
        kind.group, kind.version, kind.name, kind.plural
    )
    for kind in ALL
}


def configuration(context: str | None = None) -> SingleConfig:
    """Where the API server is: the pod's service account, ``KUBECONFIG``, or the user's own kubeconfig.

    >>> kube = Kube(configuration("kind-seatrial"))  # doctest: +SKIP
    """
    try:
        found = KubeConfig.from_env().get(context)
    except (ConfigError, YAMLError) as error:
        raise Unconfigured(" ".join(str(error).split())) from error
    if found is None:
        raise Unconfigured(f"no context {context} in the kubeconfig")
    return found


class Kube:
    """Calls to one API server. Every method raises `ApiFailure` of the kind that says what to do about it."""

    def __init__(self, config: SingleConfig, *, timeout: float = CALL_TIMEOUT) -> None:
        self.config = config
        self._timeout = timeout
        self._client: Any = AsyncClient(config, field_manager=FIELD_MANAGER, transport=Transport(config))

    async def close(self) -> None:
        """End the connections."""
        await self._client.close()

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object:
        """The object, or `NotFound`."""
        scope = {"namespace": namespace} if kind.namespaced else {}
        return _plain(await self._call(self._client.get(_RESOURCES[kind], name, **scope)))

    async def find(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        """The object, or None."""
        try:
            return await self.get(kind, name, namespace)
        except NotFound:
            return None

    async def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        labels: Mapping[str, Any] | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> list[Object]:
        """All that match, in one namespace or (with None) in all of them. Label values: text, None for "is there"."""
        scope = {"namespace": namespace or "*"} if kind.namespaced else {}

        async def collect() -> list[Object]:
            found = self._client.list(
                _RESOURCES[kind],
                labels=dict(labels) if labels else None,
                fields=dict(fields) if fields else None,
                chunk_size=MANY,
                **scope,
            )
            return [_plain(o) async for o in found]

        items = await self._call(collect())
        for item in items:  # a list leaves out what each of its items is
            item.setdefault("apiVersion", kind.api_version)
            item.setdefault("kind", kind.name)
        return items

    async def uids(self, kind: Kind, *, labels: Mapping[str, Any] | None = None) -> set[str]:
        """Of all that match, in all namespaces. However many there are, few are held at a time."""

        async def collect() -> set[str]:
            scope = {"namespace": "*"} if kind.namespaced else {}
            found = self._client.list(
                _RESOURCES[kind], labels=dict(labels) if labels else None, chunk_size=FEW, **scope
            )
            return {o["metadata"]["uid"] async for o in found}

        return await self._call(collect())

    async def create(self, obj: Object) -> Object:
        """Make it; `AlreadyExists` where it is there."""
        kind = kind_of(obj["apiVersion"], obj["kind"])
        scope = {"namespace": obj["metadata"].get("namespace")} if kind.namespaced else {}
        return _plain(await self._call(self._client.create(_RESOURCES[kind](obj), **scope)))

    async def replace(self, obj: Object) -> Object:
        """Put it as it is; `Conflict` where its resourceVersion isn't the present one."""
        kind = kind_of(obj["apiVersion"], obj["kind"])
        return _plain(await self._call(self._client.replace(_RESOURCES[kind](obj))))

    async def apply(self, obj: Object, *, force: bool = False) -> Object:
        """Server-side apply: the fields given are ours, the ones we gave before and don't give now go away.

        With ``metadata.resourceVersion`` given, `Conflict` where the object has changed since.
        """
        return await self._patch(obj, PatchType.APPLY, force=force)

    async def merge(
        self, kind: Kind, name: str, namespace: str | None, patch: Object, *, status: bool = False
    ) -> Object:
        """JSON merge patch: null takes a field away, a list replaces the list. `status`: of that, and nothing else.

        With ``metadata.resourceVersion`` given, `Conflict` where the object has changed since.
        """
        metadata = {"name": name} | ({"namespace": namespace} if namespace else {}) | patch.get("metadata", {})
        merged = {"apiVersion": kind.api_version, "kind": kind.name} | patch | {"metadata": metadata}
        return await self._patch(merged, PatchType.MERGE, status=status)

    async def delete(self, kind: Kind, name: str, namespace: str | None = None) -> None:
        """Delete it with what it owns, in the background; nothing happens where it isn't there."""
        scope = {"namespace": namespace} if kind.namespaced else {}
        try:
            await self._call(self._client.delete(_RESOURCES[kind], name, cascade=CascadeType.BACKGROUND, **scope))
        except NotFound:
            return

    async def _patch(self, obj: Object, patch_type: PatchType, *, force: bool = False, status: bool = False) -> Object:
        kind = kind_of(obj["apiVersion"], obj["kind"])
        resource = _RESOURCES[kind].Status if status else _RESOURCES[kind]
        scope = {"namespace": obj["metadata"].get("namespace")} if kind.namespaced else {}
        name = obj["metadata"]["name"]
        return _plain(
            await self._call(
                self._client.patch(resource, name, obj, patch_type=patch_type, force=force or None, **scope)
            )
        )

    async def _call(self, call: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._timeout):
                return await call
        except ApiError as error:
            raise _failure(error) from error
        except httpx2.HTTPStatusError as error:
            raise failure(error.response.status_code, str(error)) from error
        except (httpx2.HTTPError, OSError) as error:
            raise Unavailable(f"the API server: {str(error) or type(error).__name__}") from error


def _failure(error: ApiError) -> ApiFailure:
    status = error.status
    causes = tuple(c.reason or "" for c in (status.details.causes or ())) if status.details else ()
    return failure(status.code or 500, status.message or "", reason=status.reason or "", causes=causes)


def _plain(obj: Any) -> Object:  # noqa: ANN401 # the library's generic resource is a dictionary with more to it
    return dict(obj)
