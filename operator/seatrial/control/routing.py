"""The routing of a service as the mesh objects say it, whoever wrote them."""

from collections.abc import Iterator, Mapping
from typing import Any

from seatrial.rollout.world import Routing

Object = Mapping[str, Any]


def read_routing(virtual_service: Object | None, destination_rule: Object | None, host: str) -> Routing:
    """Weights of the last route that leads to revisions of `host`: it takes what no other one matches.

    Where somebody edited them so that they don't sum to 100, the heaviest revision counts for all: what is rendered
    replaces it in the same pass. A subset that is routed and isn't there counts as being there for the same reason.
    """
    weights: dict[int, int] = {}
    for route in _routes(virtual_service):
        found = _weights(route, host)
        weights = found or weights
    if weights and sum(weights.values()) != 100:
        weights = {max(weights, key=lambda r: (weights[r], r)): 100}
    subsets = {n for s in _spec(destination_rule).get("subsets") or () if (n := _revision(s.get("name"))) is not None}
    return Routing(weights, frozenset(subsets | {r for r, w in weights.items() if w > 0}))


def _routes(virtual_service: Object | None) -> Iterator[Object]:
    spec = _spec(virtual_service)
    yield from spec.get("tcp") or ()
    yield from spec.get("http") or ()


def _weights(route: Object, host: str) -> dict[int, int]:
    destinations = route.get("route") or ()
    found: dict[int, int] = {}
    for part in destinations:
        destination = part.get("destination") or {}
        number = _revision(destination.get("subset"))
        if destination.get("host") == host and number is not None:
            weight = part.get("weight", 100 if len(destinations) == 1 else 0)
            if weight:
                found[number] = found.get(number, 0) + weight
    return found


def _revision(subset: object) -> int | None:
    text = subset if isinstance(subset, str) else ""
    return int(text[1:]) if text.startswith("r") and text[1:].isdigit() else None


def _spec(obj: Object | None) -> Object:
    return (obj or {}).get("spec") or {}
