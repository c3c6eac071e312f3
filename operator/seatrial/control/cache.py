"""What the watches have seen, read by name and by owner; and whether it is at least as new as what we wrote ourselves.

The indices are filled by Kopf (`seatrial.control.watches`); nothing here writes to them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from seatrial.api.names import LABEL_SERVICE
from seatrial.control.keys import HostsKey, Key, ServiceKey
from seatrial.kube.kinds import CONFIG_MAP, MESH_SERVICE, NAMESPACE, OWNED, POD, REVISION, Kind

Object = dict[str, Any]
Index = Mapping[Any, Iterable[Any]]

CATCH_UP = 10.0  # seconds after which a write that no watch has shown is given up: somebody deleted the object since


class Cache:
    """The indices by plural: `(namespace, service)` → objects, MeshServices and ConfigMaps by their own names."""

    def __init__(self, indices: Mapping[str, Index]) -> None:
        self._indices = indices
        self._hidden: set[str] = set()  # uids

    def all(self, kind: Kind) -> Iterator[Object]:
        """Every object of a kind."""
        for key in list(self._indices.get(kind.plural, {})):
            yield from self._at(kind, key)

    def hide(self, uid: str) -> None:
        """An object that is gone without any watch having said so: a uid never comes back."""
        self._hidden.add(uid)

    def service(self, namespace: str, name: str) -> Object | None:
        """A MeshService."""
        return next(iter(self._at(MESH_SERVICE, (namespace, name))), None)

    def services(self, namespace: str | None = None) -> Iterator[Object]:
        """All MeshServices, or those of one namespace."""
        index = self._indices[MESH_SERVICE.plural]
        for key in list(index):
            if namespace is None or key[0] == namespace:
                yield from self._at(MESH_SERVICE, key)

    def revisions(self, namespace: str, service: str) -> list[Object]:
        """Revisions of a MeshService."""
        return list(self._at(REVISION, (namespace, service)))

    def pods(self, namespace: str, service: str) -> list[Object]:
        """Pods of a MeshService, those of its migrations among them."""
        return list(self._at(POD, (namespace, service)))

    def owned(self, namespace: str, service: str) -> dict[tuple[str, str], Object]:
        """Objects of a MeshService by kind and name; with "" as service those that a namespace's services share."""
        found = {}
        for kind in OWNED:
            for obj in self._at(kind, (namespace, service)):
                found[kind.name, obj["metadata"]["name"]] = obj
        return found

    def copies(self, namespace: str, service: str) -> list[Object]:
        """Our copies of ConfigMaps, without their content."""
        return list(self._at(CONFIG_MAP, (namespace, f"copies of {service}")))

    def config_version(self, namespace: str, name: str) -> str | None:
        """The resourceVersion of a ConfigMap; None where there is none."""
        return next((obj["metadata"]["resourceVersion"] for obj in self._at(CONFIG_MAP, (namespace, name))), None)

    def namespace(self, name: str) -> Object | None:
        """A namespace."""
        return next(iter(self._at(NAMESPACE, name)), None)

    def _at(self, kind: Kind, key: object) -> Iterable[Object]:
        index = self._indices.get(kind.plural)
        found = index[key] if index is not None and key in index else ()
        return [o for o in found if o["metadata"]["uid"] not in self._hidden] if self._hidden else found


class Written:
    """Our own last writes that the watches haven't shown yet: a decision on an older world would undo them."""

    def __init__(self) -> None:
        self._writes: dict[Key, dict[tuple[str, str], tuple[int, float]]] = {}

    def note(self, key: Key, obj: Object, now: float) -> None:
        """Remember the answer to a write."""
        version = int(obj["metadata"]["resourceVersion"])
        self._writes.setdefault(key, {})[obj["kind"], obj["metadata"]["name"]] = (version, now)

    def gone(self, obj: Object) -> None:
        """Somebody deleted it: its version will never be shown."""
        for key in keys_of(obj):
            self._writes.get(key, {}).pop((obj["kind"], obj["metadata"]["name"]), None)

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a key that is gone."""
        self._writes.pop(key, None)

    def shown(self, key: Key, cache: Cache, now: float) -> bool:
        """Whether the cache is as new as all of them. resourceVersions rise (Kubernetes 1.35 says so for all kinds)."""
        writes = self._writes.get(key)
        if not writes:
            return True
        seen = _seen(key, cache)
        for name, (version, at) in list(writes.items()):
            if seen.get(name, -1) >= version or now - at > CATCH_UP:
                del writes[name]
        return not writes


def _seen(key: Key, cache: Cache) -> dict[tuple[str, str], int]:
    if isinstance(key, HostsKey):
        objects: list[Object] = list(cache.owned(key.namespace, "").values())
        return {_name(o): _version(o) for o in objects}
    objects = [
        *cache.owned(key.namespace, key.name).values(),
        *cache.revisions(key.namespace, key.name),
        *cache.copies(key.namespace, key.name),
        *cache.pods(key.namespace, key.name),
    ]
    own = cache.service(key.namespace, key.name)
    return {_name(o): _version(o) for o in (*objects, *([own] if own else []))}


def _name(obj: Object) -> tuple[str, str]:
    return obj["kind"], obj["metadata"]["name"]


def _version(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])


def keys_of(obj: Object) -> list[Key]:
    """Whose pass an object of ours belongs to, by its label; by its controller where somebody changed that."""
    meta = obj["metadata"]
    service = (meta.get("labels") or {}).get(LABEL_SERVICE)
    keys: list[Key] = [ServiceKey(meta["namespace"], service) if service else HostsKey(meta["namespace"])]
    controller = controller_of(obj)
    if controller is not None and controller["name"] != service:
        keys.append(ServiceKey(meta["namespace"], controller["name"]))
    return keys


def controller_of(obj: Object) -> Object | None:
    """Reference to the MeshService whose own it is; what several of them share has none."""
    references = obj["metadata"].get("ownerReferences") or ()
    return next((r for r in references if r.get("controller") and r.get("kind") == MESH_SERVICE.name), None)
