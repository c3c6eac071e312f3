"""All MeshServices with the specs that are in use, and who of them concerns whom."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pydantic import ValidationError

from seatrial.api.accept import accept
from seatrial.api.base import ObjectMeta
from seatrial.api.meshservice import MeshService, MeshServiceSpec, MeshServiceStatus
from seatrial.api.problems import Problem
from seatrial.api.references import Known, clashes
from seatrial.api.revision import template_of
from seatrial.control.cache import Cache, Object
from seatrial.control.keys import Key, ServiceKey
from seatrial.control.once import Once, generation, resource_version
from seatrial.render import sources


@dataclass(frozen=True)
class Reading:
    """A MeshService as it can be used: None where no spec was ever accepted. `problems` are of the present spec.

    `accepted` is that spec for the status, empty where there are problems.
    """

    service: MeshService | None
    problems: tuple[Problem, ...] = ()
    accepted: str = ""


class Fleet:
    """Reads each spec once, and knows all of them at any moment: `changed` is told when one came, changed or went."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._specs = Once(_read, generation, cache.services)
        self._whole = Once(self._with_status, resource_version, cache.services)
        self._known: Known | None = None

    def read(self, raw: Object) -> Reading:
        """The MeshService with its accepted spec, and metadata and status as they are now."""
        return self._whole.of(raw)

    def services(self, namespace: str | None = None) -> Iterator[MeshService]:
        """Those that can be used."""
        for raw in self._cache.services(namespace):
            reading = self._specs.of(raw)
            if reading.service is not None:
                yield reading.service

    def known(self, plain: frozenset[tuple[str, str]] = frozenset()) -> Known:
        """What references may mean; `plain` are the Services that exist and belong to no MeshService."""
        if self._known is None:
            self._known = Known.of(self.services(), complete=True)
        return replace(self._known, plain=plain) if plain else self._known

    def changed(self) -> None:
        """Look at all of them again when somebody asks."""
        self._known = None

    def in_use(self, raw: Object, known: Known) -> MeshService | None:
        """What is served: where the present spec wants the place of an older service, the last good one goes on.

        A service that never had another spec gets what is left of it.
        """
        service = self.read(raw).service
        if service is None or not clashes(service, known):
            return service
        last_good = (raw.get("status") or {}).get("acceptedSpec")
        spec = _parsed(last_good) or service.spec
        status = service.status.model_copy(update={"accepted_spec": last_good})
        return _placed(service.model_copy(update={"spec": spec, "status": status}), known)

    def related(self, raw: Object) -> list[Key]:
        """Those that call it, are called by it, or say so."""
        own = (raw["metadata"]["namespace"], raw["metadata"]["name"])
        found: dict[Key, None] = {}
        for other in self.services():
            key = (other.metadata.namespace, other.metadata.name)
            ends = _ends(other)
            if key == own:
                found.update(dict.fromkeys(ServiceKey(*end) for end in ends))
            elif own in ends:
                found[ServiceKey(*key)] = None
        found.pop(ServiceKey(*own), None)
        return list(found)

    def users_of_config(self, namespace: str, name: str) -> list[Key]:
        """Those whose template refers to a ConfigMap."""
        return [
            ServiceKey(namespace, service.metadata.name)
            for service in self.services(namespace)
            if any(source.name == name for source in sources(template_of(service.spec)))
        ]

    def _with_status(self, raw: Object) -> Reading:
        reading = self._specs.of(raw)
        if reading.service is None:
            return reading
        status = MeshServiceStatus.parse(raw.get("status") or {})
        if reading.accepted:
            status = status.model_copy(update={"accepted_spec": reading.accepted})
        service = MeshService(metadata=ObjectMeta.parse(raw["metadata"]), spec=reading.service.spec, status=status)
        return replace(reading, service=service)


def _ends(service: MeshService) -> set[tuple[str, str]]:
    security, own = service.spec.security, service.metadata.namespace
    calls = {(c.namespace or own, c.service) for c in security.calls if c.service is not None}
    return calls | {(c.namespace or own, c.service) for c in security.callers if c.service is not None}


def _read(raw: Object) -> Reading:
    read = accept(raw)
    if not isinstance(read, list):
        accepted = read.spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return Reading(read, accepted=json.dumps(accepted, sort_keys=True))
    spec = _parsed((raw.get("status") or {}).get("acceptedSpec"))
    if spec is None:
        return Reading(None, tuple(read))
    return Reading(MeshService(metadata=ObjectMeta.parse(raw["metadata"]), spec=spec), tuple(read))


def _parsed(spec: str | None) -> MeshServiceSpec | None:
    """A spec of a status; None where there is none, or none that this version can read."""
    if not spec:
        return None
    try:
        return MeshServiceSpec.parse(json.loads(spec))
    except (ValidationError, ValueError):
        return None


def _placed(service: MeshService, known: Known) -> MeshService:
    """The service without the places on the gateway that an older one has."""
    lost = {p.field for p in clashes(service, known)}
    kept = [e for i, e in enumerate(service.spec.expose) if f"spec.expose[{i}]" not in lost]
    return service.model_copy(update={"spec": service.spec.model_copy(update={"expose": kept})})
