"""Writes objects of ours: only what differs, never over somebody else's, and never after the Lease is gone."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from seatrial.api.base import API_VERSION
from seatrial.api.names import (
    ANNOTATION_CONTENT,
    ANNOTATION_FENCING,
    LABEL_MANAGED_BY,
    LABEL_SERVICE,
    MANAGED_BY,
)
from seatrial.control.cache import Object, Written, controller_of
from seatrial.control.differ import difference
from seatrial.control.frozen import with_pods_as_made
from seatrial.control.keys import Key, ServiceKey
from seatrial.control.patching import merge_patch
from seatrial.control.telemetry import WRITES
from seatrial.kube.client import Kube
from seatrial.kube.errors import AlreadyExists, Conflict, NameTaken, NotFound
from seatrial.kube.kinds import POD, Kind, kind_of

log = logging.getLogger(__name__)

Name = tuple[str, str]
Live = Mapping[Name, Object]
T = TypeVar("T")
_Content = tuple[str, frozenset[str]]

_GUARDED = frozenset({"VirtualService", "DestinationRule", "Deployment"})
"""Kinds written only over the version that was decided on: a writer that lost the Lease must not turn weights back, and
what an autoscaler has just decided must not be undone."""
_WRITTEN_ONCE = frozenset({"Job", "ConfigMap"})
_SIDE_BY_SIDE = frozenset({"ServiceAccount", "NetworkPolicy", "Sidecar", "AuthorizationPolicy", "Service"})


class Writer:
    """`fencing` gives the number of our term, and raises when the Lease is lost: it is asked before every write."""

    def __init__(
        self,
        kube: Kube,
        written: Written,
        fencing: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kube = kube
        self._written = written
        self._fencing = fencing
        self._clock = clock
        self._settled: dict[str, tuple[_Content, str]] = {}  # uid → what was desired, and the version that is just that

    async def put(
        self, key: Key, desired: Iterable[Object], live: Live, free: Collection[Name] = ()
    ) -> dict[Name, str]:
        """Bring objects to what is desired, in order; those that nothing waits for go side by side.

        `free` has names that were just seen to be nobody's. Returns the objects' uids. Raises `NameTaken`, `Conflict`.
        """
        there: list[Object] = []
        beside: list[Awaitable[Object]] = []
        for obj in desired:
            name = name_of(obj)
            writing = self._put_one(key, obj, live.get(name), free=name in free)
            if obj["kind"] in _SIDE_BY_SIDE:
                beside.append(writing)
                continue
            there += await _all(beside)
            beside = []
            there.append(await writing)
        there += await _all(beside)
        return {name_of(obj): obj["metadata"]["uid"] for obj in there}

    async def create(self, key: Key, obj: Object) -> Object:
        """Make something that never changes, and give it; where ours is there already, that one as it is."""
        self._fencing()
        try:
            made = await self._kube.create(obj)
        except AlreadyExists:
            kind, meta = kind_of(obj["apiVersion"], obj["kind"]), obj["metadata"]
            there = await self._kube.get(kind, meta["name"], meta["namespace"])
            if not is_ours(there, key):
                raise NameTaken(kind.name, meta["namespace"], meta["name"]) from None
            return there
        self._note(key, made, "created")
        return made

    async def status(self, key: Key, obj: Object, status: Object) -> None:
        """Write a status that differs from that of `obj`, over the version that was seen. Raises `Conflict`."""
        self._fencing()
        kind, meta = kind_of(API_VERSION, obj["kind"]), obj["metadata"]
        patch = {
            "metadata": {"resourceVersion": meta["resourceVersion"]},
            "status": merge_patch(obj.get("status") or {}, status),
        }
        after = await self._kube.merge(kind, meta["name"], meta["namespace"], patch, status=True)
        self._note(key, after, "status")

    async def finalizers(self, key: Key, kind: Kind, obj: Object, finalizers: list[str]) -> Object:
        """Replace an object's finalizers, over the version that was seen, and give it as it is then.

        An object that ends with it is no failure.
        """
        self._fencing()
        meta = obj["metadata"]
        patch = {"metadata": {"finalizers": finalizers, "resourceVersion": meta["resourceVersion"]}}
        after = await self._kube.merge(kind, meta["name"], meta["namespace"], patch)
        if finalizers or not meta.get("deletionTimestamp"):
            self._note(key, after, "finalizers")
        return after

    async def without_annotation(self, key: Key, obj: Object, annotation: str) -> None:
        """Take an annotation off, over the version that was seen."""
        self._fencing()
        kind, meta = kind_of(obj["apiVersion"], obj["kind"]), obj["metadata"]
        patch = {"metadata": {"annotations": {annotation: None}, "resourceVersion": meta["resourceVersion"]}}
        self._note(key, await self._kube.merge(kind, meta["name"], meta["namespace"], patch), "annotation")

    async def tell_pods(self, key: Key, told: Iterable[tuple[Mapping[str, Any], Mapping[str, str]]]) -> None:
        """Give pods annotations, side by side. Over no version: a pod's changes all the time, and these are ours alone.

        One that is gone meanwhile needs none.
        """
        await _all(self._tell_pod(key, pod, annotations) for pod, annotations in told)

    async def _tell_pod(self, key: Key, pod: Mapping[str, Any], annotations: Mapping[str, str]) -> None:
        self._fencing()
        meta = pod["metadata"]
        patch = {"metadata": {"annotations": dict(annotations)}}
        with suppress(NotFound):
            self._note(key, await self._kube.merge(POD, meta["name"], meta["namespace"], patch), "annotations")

    async def delete(self, obj: Object) -> None:
        """Delete one of ours."""
        self._fencing()
        kind, meta = kind_of(obj["apiVersion"], obj["kind"]), obj["metadata"]
        if meta.get("deletionTimestamp"):
            return
        await self._kube.delete(kind, meta["name"], meta["namespace"])
        WRITES.labels(kind.name).inc()
        log.info("deleted %s %s/%s", kind.name, meta["namespace"], meta["name"])

    async def taken(self, key: Key, names: Iterable[tuple[Kind, str]]) -> tuple[list[NameTaken], frozenset[Name]]:
        """Which of these names somebody else has, and which nobody has."""
        asked = list(names)
        there = await asyncio.gather(*(self._kube.find(kind, name, key.namespace) for kind, name in asked))
        pairs = list(zip(asked, there, strict=True))
        foreign = [
            NameTaken(kind.name, key.namespace, name)
            for (kind, name), obj in pairs
            if obj is not None and not is_ours(obj, key)
        ]
        return foreign, frozenset((kind.name, name) for (kind, name), obj in pairs if obj is None)

    async def _put_one(self, key: Key, desired: Object, seen: Object | None, *, free: bool) -> Object:
        """The object as it is then."""
        kind = kind_of(desired["apiVersion"], desired["kind"])
        if seen is None and not free:
            seen = await self._unseen(key, kind, desired)
        if seen is None:
            self._fencing()
            made = await self._kube.apply(desired)
            self._note(key, made, "created")
            return made
        if self._is_settled(desired, seen):
            return seen
        desired = with_pods_as_made(desired, seen)
        why = difference(desired, seen)
        if why is None or kind.name in _WRITTEN_ONCE:
            self._settle(desired, seen)
            return seen
        return await self._overwrite(key, desired, seen, why)

    async def _unseen(self, key: Key, kind: Kind, desired: Object) -> Object | None:
        """What no watch shows may be somebody else's, or ours without its labels."""
        name = desired["metadata"]["name"]
        found = await self._kube.find(kind, name, key.namespace)
        if found is None or is_ours(found, key):
            return found
        controller = controller_of(found)
        if controller is None or controller["uid"] != (controller_of(desired) or {}).get("uid"):
            raise NameTaken(kind.name, key.namespace, name)
        return found

    async def _overwrite(self, key: Key, desired: Object, seen: Object, why: str) -> Object:
        fencing = self._fencing()
        meta = seen["metadata"]
        if int((meta.get("annotations") or {}).get(ANNOTATION_FENCING, 0)) > fencing:
            raise Conflict(f"{desired['kind']} {meta['name']} was written by a later holder of the Lease")
        guarded = desired
        if desired["kind"] in _GUARDED:
            guarded = desired | {"metadata": desired["metadata"] | {"resourceVersion": meta["resourceVersion"]}}
        after = await self._kube.apply(guarded, force=True)
        if difference(desired, after) is not None:
            self._settle(desired, after)
        if after["metadata"]["resourceVersion"] != meta["resourceVersion"]:
            self._note(key, after, why)
        return after

    def gone(self, obj: Object) -> None:
        """Somebody deleted it."""
        self._settled.pop(obj["metadata"]["uid"], None)
        self._written.gone(obj)

    def _settle(self, desired: Object, live: Object) -> None:
        meta = live["metadata"]
        self._settled[meta["uid"]] = (_content(desired), meta["resourceVersion"])

    def _is_settled(self, desired: Object, seen: Object) -> bool:
        """Where it was found to be as desired, or the server writes it in other words than ours: nothing to write."""
        meta = seen["metadata"]
        return self._settled.get(meta["uid"]) == (_content(desired), meta["resourceVersion"])

    def _note(self, key: Key, after: Object, why: str) -> None:
        self._written.note(key, after, self._clock())
        WRITES.labels(after["kind"]).inc()
        meta = after["metadata"]
        log.info("wrote %s %s/%s (%s)", after["kind"], meta.get("namespace", ""), meta["name"], why)


async def _all(writes: Iterable[Awaitable[T]]) -> list[T]:
    """Ends when the last one has: a pass that failed must not go on writing."""
    done: list[T] = []
    for outcome in await asyncio.gather(*writes, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
        done.append(outcome)
    return done


def name_of(obj: Mapping[str, Any]) -> Name:
    """What an object is called among those of its namespace."""
    return obj["kind"], obj["metadata"]["name"]


def is_ours(obj: Mapping[str, Any], key: Key) -> bool:
    """Labelled as ours for this very service (or for what the services of its namespace share)."""
    labels = obj["metadata"].get("labels") or {}
    service = key.name if isinstance(key, ServiceKey) else None
    return labels.get(LABEL_MANAGED_BY) == MANAGED_BY and labels.get(LABEL_SERVICE) == service


def _content(desired: Object) -> _Content:
    """Its hash, which leaves out who owns it beside the MeshService."""
    meta = desired["metadata"]
    owners = frozenset(str(owner["uid"]) for owner in meta.get("ownerReferences") or ())
    return str((meta.get("annotations") or {}).get(ANNOTATION_CONTENT, "")), owners
