"""All that can be found in manifests without a cluster: what `seatrial lint` prints and the operator would report."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from seatrial.api.accept import accept, kind_of
from seatrial.api.advice import advice
from seatrial.api.base import API_VERSION, GROUP
from seatrial.api.meshservice import MeshService
from seatrial.api.problems import Problem
from seatrial.api.references import Known, clashes, key_of, unresolved

__all__ = ["accept", "advice", "lint"]  # whoever checks a service needs these three


def lint(objects: Iterable[Mapping[str, Any]], *, namespace: str = "") -> list[Problem]:
    """The problems of a set of manifests, in the order of the manifests.

    `namespace` is that of manifests which name none. What isn't Seatrial's is passed over; the set may be a part of
    what will be in the cluster, so a service it doesn't hold may well be there.
    """
    problems: list[Problem] = []
    services: list[MeshService] = []
    for obj in _flat(objects):
        name = name_of(obj, namespace)
        problems += [p.of(name) for p in _kind(obj)]
        if kind_of(obj) != MeshService.__name__:
            continue
        read = accept(_placed(obj, namespace))
        if isinstance(read, list):
            problems += [p.of(name) for p in read]
        else:
            services.append(read)
    problems += _twice(services)
    known = Known.of(services, complete=False)
    for service in services:
        found = (*unresolved(service, known), *clashes(service, known), *advice(service.spec))
        problems += [p.of(_called("MeshService", key_of(service))) for p in found]
    return problems


def name_of(obj: Mapping[str, Any], namespace: str = "") -> str:
    """``MeshService shop/orders``, with what is known of it."""
    metadata = obj.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    return _called(
        str(obj.get("kind", "object")), (metadata.get("namespace") or namespace, metadata.get("name") or "?")
    )


def _called(kind: str, key: tuple[str, str]) -> str:
    return f"{kind} {'/'.join(filter(None, key))}"


def _flat(objects: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for obj in objects:
        if obj.get("kind") == "List":
            yield from _flat(obj.get("items") or ())
        else:
            yield obj


def _placed(obj: Mapping[str, Any], namespace: str) -> Mapping[str, Any]:
    metadata = obj.get("metadata")
    if not isinstance(metadata, Mapping) or metadata.get("namespace"):
        return obj
    return {**obj, "metadata": {**metadata, "namespace": namespace}}


def _kind(obj: Mapping[str, Any]) -> Iterator[Problem]:
    kind, version = obj.get("kind"), str(obj.get("apiVersion", ""))
    if version.partition("/")[0] == GROUP and version != API_VERSION:
        yield Problem("apiVersion", f"{version} isn't served", f"write {API_VERSION}", value=version)
    elif version == API_VERSION and kind == "Revision":
        yield Problem("kind", "a Revision is written by the operator", "take it out of the manifests", value=kind)
    elif version == API_VERSION and kind != MeshService.__name__:
        yield Problem("kind", f"{kind} isn't known", "write MeshService", value=kind)
    elif kind == MeshService.__name__ and version.partition("/")[0] != GROUP:
        yield Problem("apiVersion", f"{version or 'it'} isn't Seatrial's", f"write {API_VERSION}", value=version)


def _twice(services: Iterable[MeshService]) -> Iterator[Problem]:
    seen = set()
    for service in services:
        if (key := key_of(service)) in seen:
            yield Problem("metadata.name", "is there twice", "rename one", value=key[1]).of(_called("MeshService", key))
        seen.add(key)
