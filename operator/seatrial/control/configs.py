"""What a revision freezes: its template with the contents of the ConfigMaps it refers to, as one hash and as copies."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from seatrial.api.meshservice import MeshService, MeshServiceSpec
from seatrial.api.names import ANNOTATION_RESTART, config_copy_name, revision_name
from seatrial.api.revision import ConfigCopy, RevisionSpec, Template, template_of
from seatrial.control.cache import Cache, Object
from seatrial.kube.client import Kube
from seatrial.kube.errors import Conflict
from seatrial.kube.kinds import CONFIG_MAP, REVISION
from seatrial.render import sources
from seatrial.render.objects import labels_of, owned_by

LARGEST = 900 * 1024  # bytes; the API server takes 1 MiB of a whole object


@dataclass(frozen=True)
class Frozen:
    """A template as it is now. `configs` has a digest for each ConfigMap that is there."""

    template: Template
    configs: tuple[tuple[str, str], ...]

    @cached_property
    def hash(self) -> str:
        """12 hex digits. A field that a later version of Seatrial adds changes nothing as long as nobody sets it."""
        template = self.template.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return _digest({"template": template, "configs": dict(self.configs)})


@dataclass(frozen=True)
class Hindered:
    """Why the template can't be frozen: sentences for `ResolvedRefs` and for `Accepted`."""

    missing: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


class Configs:
    """Reads ConfigMaps when their resourceVersion has changed, and remembers their digests alone."""

    def __init__(self, kube: Kube, cache: Cache) -> None:
        self._kube = kube
        self._cache = cache
        self._digests: dict[tuple[str, str], tuple[str, str, int]] = {}
        self._frozen: dict[tuple[str, str], tuple[MeshServiceSpec, str, Frozen]] = {}

    async def freeze(self, service: MeshService) -> Frozen | Hindered:
        """The service's template as it is now, or what is in the way."""
        template = self._template(service)
        found: list[tuple[str, str]] = []
        missing: list[str] = []
        large: list[str] = []
        for source in sources(template):
            known = await self._digest(service.metadata.namespace, source.name)
            if known is None:
                if not source.optional:
                    missing.append(f"there is no ConfigMap {source.name}: create it, or take the reference out")
                continue
            digest, size = known
            if size > LARGEST:
                large.append(
                    f"ConfigMap {source.name} has {size // 1024} KiB, and a revision's copy at most "
                    f"{LARGEST // 1024} KiB: split it, or mount a volume"
                )
            found.append((source.name, digest))
        if missing or large:
            return Hindered(tuple(missing), tuple(large))
        return self._as_before(service, Frozen(template, tuple(found)))

    async def copies(self, service: MeshService, frozen: Frozen) -> list[Object]:
        """The immutable ConfigMaps of a revision. Raises `Conflict` where a source has changed since it was hashed."""
        return [await self._copy(service, name, digest) for name, digest in frozen.configs]

    def _template(self, service: MeshService) -> Template:
        """The very one of before where spec and restart are."""
        restart = service.metadata.annotations.get(ANNOTATION_RESTART, "")
        known = self._frozen.get((service.metadata.namespace, service.metadata.name))
        if known is not None and known[0] is service.spec and known[1] == restart:
            return known[2].template
        return template_of(service.spec, restart)

    def _as_before(self, service: MeshService, frozen: Frozen) -> Frozen:
        """With the hash that it had where nothing differs."""
        key = (service.metadata.namespace, service.metadata.name)
        known = self._frozen.get(key)
        if known is not None and known[2].template is frozen.template and known[2].configs == frozen.configs:
            return known[2]
        self._frozen[key] = (service.spec, frozen.template.restart, frozen)
        return frozen

    def forget(self, namespace: str, name: str) -> None:
        """Drop what is remembered of a service that is gone."""
        self._frozen.pop((namespace, name), None)

    async def _copy(self, service: MeshService, name: str, digest: str) -> Object:
        namespace = service.metadata.namespace
        source = await self._kube.get(CONFIG_MAP, name, namespace)
        content = _content(source)
        if _digest(content) != digest:
            raise Conflict(f"ConfigMap {name} has just changed")
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": config_copy_name(service.metadata.name, name, digest),
                "namespace": namespace,
                "labels": labels_of(service.metadata.name),
                "ownerReferences": [owned_by(service, controller=True)],
            },
            "immutable": True,
            **content,
        }

    async def _digest(self, namespace: str, name: str) -> tuple[str, int] | None:
        version = self._cache.config_version(namespace, name)
        if version is None:
            self._digests.pop((namespace, name), None)
            return None
        known = self._digests.get((namespace, name))
        if known is None or known[0] != version:
            obj = await self._kube.find(CONFIG_MAP, name, namespace)
            if obj is None:
                return None
            content = _content(obj)
            size = sum(len(k) + len(v) for part in content.values() for k, v in part.items())
            known = self._digests[namespace, name] = (obj["metadata"]["resourceVersion"], _digest(content), size)
        return known[1], known[2]


def revision_object(service: MeshService, number: int, frozen: Frozen) -> Object:
    """The Revision that freezes the template under that number."""
    name = service.metadata.name
    copies = [ConfigCopy(source=s, copy_name=config_copy_name(name, s, d), hash=d) for s, d in frozen.configs]
    spec = RevisionSpec(service=name, number=number, hash=frozen.hash, template=frozen.template, configs=copies)
    return {
        "apiVersion": REVISION.api_version,
        "kind": REVISION.name,
        "metadata": {
            "name": revision_name(name, number),
            "namespace": service.metadata.namespace,
            "labels": labels_of(name, number),
            "ownerReferences": [owned_by(service, controller=True)],
        },
        "spec": spec.dump(),
    }


def _content(obj: Object) -> dict[str, dict[str, str]]:
    return {part: dict(obj[part]) for part in ("data", "binaryData") if obj.get(part)}


def _digest(value: Any) -> str:  # noqa: ANN401 # JSON
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
