"""What istiod says: the routes and subsets in its store, and what of its pushes each proxy has acknowledged.

Source: `pilot/pkg/xds/debug.go` of Istio. `/debug/configz` has the configuration as istiod's watches have brought it.
`/debug/syncz` has for each proxy and kind of resource the nonce that was sent last and the one acknowledged last. A
nonce is the version of the push (`RFC3339 time/counter`, counted by each istiod) followed by a UUID of 36 characters.
What a proxy of another namespace is meant to carry (`/debug/config_dump`) istiod tells its own namespace alone.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.rollout.world import Mirror, Split

UUID_LENGTH = 36
_NONCES = tuple((f"{kind}_sent", f"{kind}_acked") for kind in ("cluster", "route", "listener"))
_GAP = re.compile(r"[\s,]*")
_OPEN = re.compile(r"\[")


@dataclass(frozen=True, slots=True)
class Sync:
    """Of one proxy. `acknowledged`: nothing is on its way to it, and nothing was refused by it.

    `route` and `cluster` count the pushes that it acknowledged last; -1 where the kind was never sent to it. Small, as
    there is one for each proxy of the mesh, and those of before a write are remembered for each host.
    """

    acknowledged: bool = True
    route: int = -1
    cluster: int = -1

    def advanced(self, before: "Sync | None") -> bool:
        """Whether a later push than `before` was acknowledged; one of an unknown past counts as later.

        A change of routes or of subsets makes istiod push routes and clusters to all proxies that depend on it; one
        that only speaks TCP has no routes.
        """
        if before is None:
            return True
        return self.route > before.route if self.route >= 0 else self.cluster > before.cluster


def parse_syncz(body: bytes) -> dict[str, Sync]:
    """By proxy, named `pod.namespace`. Raises ValueError when it isn't what istiod answers."""
    alike: dict[Sync, Sync] = {}
    found: dict[str, Sync] = {}
    for entry in json.loads(body) or ():
        if entry.get("proxy"):
            sync = _sync(entry)
            found[sys.intern(entry["proxy"])] = alike.setdefault(sync, sync)
    return found


def _sync(entry: Mapping[str, str]) -> Sync:
    get = entry.get
    acknowledged = all(get(sent, "") == get(acked, "") for sent, acked in _NONCES)
    return Sync(acknowledged, counter(get("route_acked", "")), counter(get("cluster_acked", "")))


def counter(nonce: str) -> int:
    """The push counter of a nonce; -1 where there is none.

    >>> counter("2026-11-21T11:01:22Z/923f09863-78ad-4a4b-ad40-4b3dab6b994f")
    9
    """
    number = nonce[:-UUID_LENGTH].rpartition("/")[2]
    return int(number) if number.isdigit() else -1


@dataclass(frozen=True)
class Known:
    """What istiod's store has of one host.

    `splits` has one entry for each route that leads there; None stands for a route that isn't to revisions alone.
    """

    splits: tuple[Split | None, ...] = ()
    subsets: frozenset[int] = frozenset()


class Config:
    """istiod's store, read once and asked for each host."""

    def __init__(self, body: bytes) -> None:
        self._splits: dict[str, list[Split | None]] = {}
        self._subsets: dict[str, frozenset[int]] = {}
        for obj in _items(body.decode()):
            spec = obj.get("spec") or {}
            if obj.get("kind") == "VirtualService":
                for host, split in _routes(spec):
                    self._splits.setdefault(host, []).append(split)
            elif obj.get("kind") == "DestinationRule":
                numbers = (_revision(s.get("name")) for s in spec.get("subsets") or ())
                self._subsets[spec.get("host", "")] = frozenset(n for n in numbers if n is not None)

    def of(self, host: str) -> Known:
        """What it has of `host` (a fully qualified service name)."""
        return Known(tuple(self._splits.get(host, ())), self._subsets.get(host, frozenset()))


def _items(text: str) -> Iterator[dict[str, Any]]:
    """The objects of a JSON array (or of null) one by one: hundreds of services' are too much to hold at once."""
    decoder, at = json.JSONDecoder(), _end(_GAP, text, 0)
    if text.startswith("null", at):
        return
    at = _end(_GAP, text, _end(_OPEN, text, at))
    while not text.startswith("]", at):
        item, at = decoder.raw_decode(text, at)
        yield item
        at = _end(_GAP, text, at)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where a pattern that must come next ends."""
    found = pattern.match(text, at)
    if found is None:
        raise ValueError(f"istiod answers no array of objects: {text[at : at + 40]!r}")
    return found.end()


def _routes(spec: Mapping[str, Any]) -> Iterator[tuple[str, Split | None]]:
    for kind in ("http", "tcp"):
        for route in spec.get(kind) or ():
            by_host: dict[str, dict[int | None, int]] = {}
            destinations = route.get("route") or ()
            for part in destinations:
                host, number = _destination(part)
                weight = part.get("weight") or (100 if len(destinations) == 1 else 0)
                found = by_host.setdefault(host, {})
                if weight:
                    found[number] = found.get(number, 0) + weight
            for host, weights in by_host.items():
                numbered = {n: w for n, w in weights.items() if n is not None}
                yield host, Split.of(numbered, _mirror(route, host)) if len(numbered) == len(weights) else None


def _mirror(route: Mapping[str, Any], host: str) -> Mirror | None:
    for copies in route.get("mirrors") or ():
        of, number = _destination(copies)
        if of == host and number is not None:
            return Mirror(number, round((copies.get("percentage") or {}).get("value", 100)))
    return None


def _destination(part: Mapping[str, Any]) -> tuple[str, int | None]:
    destination = part.get("destination") or {}
    return destination.get("host", ""), _revision(destination.get("subset"))


def _revision(subset: object) -> int | None:
    text = subset if isinstance(subset, str) else ""
    return int(text[1:]) if text.startswith("r") and text[1:].isdigit() else None
