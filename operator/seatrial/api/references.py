"""Whether the MeshServices of a set fit together: who calls whom, and who has which place on the ingress gateway.

A call needs two halves: the caller's `calls` routes it, the callee's `callers` opens the door. The set is a folder of
manifests, or all there is in a cluster; only there a service that nobody has seen is known to be missing.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from seatrial.api.meshservice import Callee, Caller, Expose, MeshService
from seatrial.api.problems import Level, Problem

Key = tuple[str, str]


def key_of(service: MeshService) -> Key:
    """Namespace and name."""
    return (service.metadata.namespace, service.metadata.name)


@dataclass(frozen=True)
class Known:
    """The services that references may mean.

    `exposing` has those that are on the ingress gateway by host, the oldest first. `plain` has namespace and name of
    Services that are no MeshService's. `complete` says that there are no others: what isn't here doesn't exist.
    """

    services: Mapping[Key, MeshService] = field(default_factory=dict)
    exposing: Mapping[str, Sequence[MeshService]] = field(default_factory=dict)
    plain: Collection[Key] = frozenset()
    complete: bool = False

    @classmethod
    def of(cls, services: Iterable[MeshService], plain: Collection[Key] = frozenset(), *, complete: bool) -> "Known":
        """The services by their keys."""
        by_key = {key_of(s): s for s in services}
        exposing: dict[str, list[MeshService]] = {}
        for service in sorted((s for s in by_key.values() if s.spec.expose), key=_age):
            for host in dict.fromkeys(e.host for e in service.spec.expose):
                exposing.setdefault(host, []).append(service)
        return cls(by_key, exposing, plain, complete)


def unresolved(service: MeshService, known: Known) -> list[Problem]:
    """What `service` refers to and isn't there, and the halves of calls that are missing at their other end."""
    security = service.spec.security
    problems = [p for i, c in enumerate(security.calls) for p in _call(service, i, c, known)]
    problems += [p for i, c in enumerate(security.callers) for p in _caller(service, i, c, known)]
    if service.spec.expose and not any(c.ingress is not None for c in security.callers):
        problems.append(
            _unresolved(
                "spec.expose",
                "is routed from the ingress gateway, which may not call",
                "add `{ingress: {}}` to spec.security.callers",
            )
        )
    return problems


def clashes(service: MeshService, known: Known) -> list[Problem]:
    """What `service` exposes and an older service has already, or another namespace has the host of.

    The older one keeps its place, so that a newcomer never takes traffic from it.
    """
    problems = []
    for i, mine in enumerate(service.spec.expose):
        for other in known.exposing.get(mine.host, ()):
            if _age(other) >= _age(service):
                break
            if why := next(filter(None, (_clash(mine, theirs, service, other) for theirs in other.spec.expose)), ""):
                name = "/".join(filter(None, key_of(other)))
                problems.append(
                    Problem(
                        f"spec.expose[{i}]",
                        f"{mine.place}: {why} {name}",
                        "choose another host or prefix, or take it out there first",
                        value=mine.dump(),
                    )
                )
                break
    return problems


def _age(service: MeshService) -> tuple[str, Key]:
    return (service.metadata.creation_timestamp or "~", key_of(service))  # not yet created: younger than all that are


def _clash(mine: Expose, theirs: Expose, service: MeshService, other: MeshService) -> str:
    if mine.host != theirs.host:  # it may have other hosts too
        return ""
    if service.metadata.namespace != other.metadata.namespace:
        return "the host belongs to the namespace of"
    return "is exposed by" if mine.place == theirs.place else ""


def _call(service: MeshService, i: int, callee: Callee, known: Known) -> Iterator[Problem]:
    if callee.service is None:
        return
    where, own = f"spec.security.calls[{i}]", service.metadata
    key = (callee.namespace or own.namespace, callee.service)
    other = known.services.get(key)
    if other is None:
        if known.complete and key not in known.plain:
            yield _unresolved(where, f"there is no service {_shown(key, service)}", "create it, or take the call out")
    elif not any(
        c.service == own.name and (c.namespace or key[0]) == own.namespace for c in other.spec.security.callers
    ):
        opened = _entry(own.namespace, own.name, key[0])
        yield _unresolved(
            where,
            f"{_shown(key, service)} doesn't let {own.name} in",
            f"add `{opened}` to spec.security.callers of {_shown(key, service)}",
        )


def _caller(service: MeshService, i: int, caller: Caller, known: Known) -> Iterator[Problem]:
    if caller.service is None:
        return
    where, own = f"spec.security.callers[{i}]", service.metadata
    key = (caller.namespace or own.namespace, caller.service)
    other = known.services.get(key)
    if other is None:
        if known.complete:
            yield _unresolved(
                where, f"there is no MeshService {_shown(key, service)}", "create it, or take the caller out"
            )
    elif not any(c.service == own.name and (c.namespace or key[0]) == own.namespace for c in other.spec.security.calls):
        routed = _entry(own.namespace, own.name, key[0])
        yield _unresolved(
            where,
            f"{_shown(key, service)} doesn't call {own.name}",
            f"add `{routed}` to spec.security.calls of {_shown(key, service)}, or take the caller out",
        )


def _entry(namespace: str, name: str, seen_from: str) -> str:
    return f"{{service: {name}}}" if namespace == seen_from else f"{{service: {name}, namespace: {namespace}}}"


def _shown(key: Key, service: MeshService) -> str:
    return key[1] if key[0] == service.metadata.namespace else "/".join(key)


def _unresolved(where: str, message: str, remedy: str) -> Problem:
    return Problem(where, message, remedy, level=Level.UNRESOLVED)
