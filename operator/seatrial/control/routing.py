"""The routing of a service as the mesh objects say it, whoever wrote them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from seatrial.render.variants import DRAWN, KEPT, MARKED, MIRRORED
from seatrial.rollout.world import Mirror, Routing, Sticky

Object = Mapping[str, Any]

_CANARYS = re.compile(rf".*{re.escape(KEPT)}r(?P<canary>\d+)\.(?P<attempt>\d+)")
_DRAWN = re.compile(rf".*{re.escape(DRAWN)}s(?P<weight>\d+)\.(?P<attempt>\d+)")


def read_routing(
    virtual_service: Object | None, destination_rule: Object | None, host: str, delegate: Object | None = None
) -> Routing:
    """Weights of the last route that leads to revisions of `host`, which takes what no other one matches.

    What the routes before it are for stands in their names; users who stay are known to `delegate` alone, the routes of
    the ingress gateway.

    Where somebody edited the weights so that they don't sum to 100, the heaviest revision counts for all: what is
    rendered replaces it in the same pass. A subset that is routed and isn't there counts as being there for the same
    reason.
    """
    weights: dict[int, int] = {}
    marked, mirror = None, None
    for route in _routes(virtual_service):
        weights = _weights(route, host) or weights
        name = route.get("name") or ""
        if name.endswith(MARKED):
            marked = max(_weights(route, host), default=None)
        elif name.endswith(MIRRORED):
            mirror = _mirror(route, host)
    if weights and sum(weights.values()) != 100:
        weights = {max(weights, key=lambda r: (weights[r], r)): 100}
    subsets = {n for s in _spec(destination_rule).get("subsets") or () if (n := _revision(s.get("name"))) is not None}
    beside = (marked, mirror.revision if mirror else None)
    subsets |= {*weights, *(r for r in beside if r is not None)}
    return Routing(weights, frozenset(subsets), marked, mirror, _sticky(delegate, weights))


def _routes(virtual_service: Object | None) -> Iterator[Object]:
    spec = _spec(virtual_service)
    yield from spec.get("tcp") or ()
    yield from spec.get("http") or ()


def _weights(route: Object, host: str) -> dict[int, int]:
    destinations = route.get("route") or ()
    found: dict[int, int] = {}
    for part in destinations:
        number = _number(part, host)
        weight = part.get("weight", 100 if len(destinations) == 1 else 0)
        if number is not None and weight:
            found[number] = found.get(number, 0) + weight
    return found


def _mirror(route: Object, host: str) -> Mirror | None:
    for copies in route.get("mirrors") or ():
        if (number := _number(copies, host)) is not None:
            return Mirror(number, round((copies.get("percentage") or {}).get("value", 100)))
    return None


def _sticky(delegate: Object | None, weights: Mapping[int, int]) -> Sticky | None:
    """Nobody stays where all get the same revision, whatever the names of the routes still say."""
    names = [route.get("name") or "" for route in _routes(delegate)]
    kept = next((found for name in names if (found := _CANARYS.fullmatch(name))), None)
    if kept is None or len(weights) != 2 or int(kept["canary"]) not in weights:
        return None
    attempt = int(kept["attempt"])
    drawn = (found for name in names if (found := _DRAWN.fullmatch(name)))
    earlier = {int(found["weight"]) for found in drawn if int(found["attempt"]) == attempt}
    return Sticky(int(kept["canary"]), attempt, tuple(sorted(earlier)))


def _number(part: Object, host: str) -> int | None:
    destination = part.get("destination") or {}
    return _revision(destination.get("subset")) if destination.get("host") == host else None


def _revision(subset: object) -> int | None:
    text = subset if isinstance(subset, str) else ""
    return int(text[1:]) if text.startswith("r") and text[1:].isdigit() else None


def _spec(obj: Object | None) -> Object:
    return (obj or {}).get("spec") or {}
