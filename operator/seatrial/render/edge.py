"""Where a service is found from outside: prefixes on the ingress gateway, and the paths of its policy behind them.

A prefix is whole path segments: ``/api`` takes ``/api`` and ``/api/x``, never ``/apix``. Istio compares text and
rewrites text, so a prefix becomes two matches, ``/api`` itself and ``/api/``; else ``rewrite: /`` would send ``//x``
to the service.

The root VirtualService of a host says prefix → delegate, and the delegate says the prefix again: Istio keeps those
routes of the delegate that lie within the root's match, and drops a route as a whole when one of its matches doesn't.
It compares no regular expression with a prefix, so those go by the ``:path`` header, and the root says nothing where
the prefix is ``/``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from seatrial.api.meshservice import Expose, MeshServiceSpec, PathMatch
from seatrial.api.names import delegate_name
from seatrial.render.inputs import Inputs
from seatrial.render.objects import Object
from seatrial.render.routes import actions, policies, reached, virtual_service
from seatrial.render.variants import Policy, variants

_QUERY = r"(?:\?.*)?"  # the :path header has the query, the path of a policy hasn't


@dataclass(frozen=True)
class Way:
    """One match of paths as users write them, and what the matched part becomes for the service (None: it stays)."""

    uri: dict[str, str]
    rewrite: str | None = None
    headers: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Prefix:
    """A prefix without its last slash (so ``/`` is empty), what it becomes, and the hosts where it is so."""

    outside: str
    inside: str
    hosts: frozenset[str]

    @property
    def itself(self) -> str:
        """What the service sees where users ask for the bare prefix."""
        return self.inside or "/"

    def ways(self, path: PathMatch | None) -> list[Way]:
        """All paths outside that are the given one inside; none where it can't be reached through this prefix."""
        if path is None:
            return self._beginning("/")
        if path.exact is not None:
            return self._exactly(path.exact)
        if path.prefix is not None:
            return self._beginning(path.prefix)
        return self._like(path.regex or "")

    def _exactly(self, path: str) -> list[Way]:
        bare = [self._way("exact", self.outside, path)] if self.outside and path == self.itself else []
        if path.startswith(f"{self.inside}/"):
            bare.append(self._way("exact", self.outside + path.removeprefix(self.inside), path))
        return bare

    def _beginning(self, path: str) -> list[Way]:
        ways = [self._way("exact", self.outside, self.itself)] if self.outside and self.itself.startswith(path) else []
        below = f"{self.inside}/"
        if below.startswith(path):
            ways.append(self._way("prefix", f"{self.outside}/", below))
        elif path.startswith(below):
            ways.append(self._way("prefix", self.outside + path.removeprefix(self.inside), path))
        return ways

    def _like(self, regex: str) -> list[Way]:
        """Where the prefix becomes another one than `/`, no expression says what it is outside: no route."""
        if self.outside == self.inside:
            outside = f"(?:{regex})"
        elif not self.inside:
            outside = f"{re.escape(self.outside)}(?:{regex})"
        else:
            return []
        if not self.outside:
            return [Way({"regex": regex})]
        header = {":path": {"regex": outside + _QUERY}}
        ways = [self._way("prefix", f"{self.outside}/", f"{self.inside}/", header)]
        if _matches(regex, self.itself):
            ways.insert(0, self._way("exact", self.outside, self.itself))
        return ways

    def _way(self, kind: str, outside: str, inside: str, headers: dict[str, dict[str, str]] | None = None) -> Way:
        return Way({kind: outside}, inside if outside != inside else None, headers or {})


def prefixes(spec: MeshServiceSpec) -> list[Prefix]:
    """The prefixes of a service, the longest first; hosts where one prefix becomes the same share it."""
    hosts: dict[tuple[str, str], set[str]] = {}
    for expose in spec.expose:
        hosts.setdefault((outside_of(expose), _inside_of(expose)), set()).add(expose.host)
    found = [Prefix(outside, inside, frozenset(names)) for (outside, inside), names in hosts.items()]
    return sorted(found, key=lambda p: (-len(p.outside), p.outside, p.inside))


def outside_of(expose: Expose) -> str:
    """The prefix without its last slash."""
    return expose.prefix.rstrip("/")


def _inside_of(expose: Expose) -> str:
    return (expose.rewrite or expose.prefix).rstrip("/")


def delegate_routes(inputs: Inputs) -> Object | None:
    """The VirtualService that the roots of all hosts delegate to; none before there is something to route to."""
    spec = inputs.service.spec
    ports = spec.service_ports
    port = next((p.port for kind in ("http", "grpc") for p in ports if p.app_protocol == kind), None)
    if port is None or not spec.expose or not inputs.routing.routed:
        return None
    everywhere = frozenset(e.host for e in spec.expose)
    routes: list[dict[str, Any]] = []
    for number, prefix in enumerate(prefixes(spec), start=1):
        authority = None if prefix.hosts == everywhere else _authority(prefix.hosts)
        for placed in policies(spec):
            ways = prefix.ways(placed.path)
            for variant in variants(inputs, edge=True):
                if policy := variant.of(placed.policy):
                    named = replace(policy, name=f"{inputs.name}-{number}-{policy.name}")
                    routes += _routes(named, ways, authority, actions(inputs, variant, port))
    return virtual_service(inputs, delegate_name(inputs.name), {"http": reached(routes)})


def _routes(
    policy: Policy, ways: list[Way], authority: dict[str, str] | None, where: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """One route for each rewriting: an HTTPRoute has one, and may have several matches."""
    host = {"authority": authority} if authority else {}
    for rewrite in dict.fromkeys(way.rewrite for way in ways):
        alike = [way for way in ways if way.rewrite == rewrite]
        matches = [match | host for way in alike for match in policy.matches(way.uri, way.headers)]
        rewriting = {"rewrite": {"uri": rewrite}} if rewrite is not None else {}
        yield {"name": policy.name, "match": matches, **rewriting, **where, **policy.settings}


def _authority(hosts: frozenset[str]) -> dict[str, str]:
    """The hosts, whichever port the user wrote behind them."""
    names = [re.escape(h.removeprefix("*")) for h in sorted(hosts)]
    patterns = [
        f"[^:]+{name}" if host.startswith("*") else name for host, name in zip(sorted(hosts), names, strict=True)
    ]
    return {"regex": f"(?i)(?:{'|'.join(patterns)})(?::[0-9]+)?"}


def _matches(regex: str, path: str) -> bool:
    try:
        return re.fullmatch(regex, path) is not None
    except re.error:
        return False
