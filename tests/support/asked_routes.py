"""Which route of a VirtualService answers a request: Envoy's matching of what Seatrial renders, the first one wins."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A request; names of headers in lower case."""

    method: str = "GET"
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)


def route_for(routes: Sequence[Json], asked: Asked) -> Json | None:
    """The first route with a match that takes it."""
    for route in routes:
        matches = route.get("match")
        if not matches or any(_takes(match, asked) for match in matches):
            return route
    return None


def parts_of(route: Json) -> dict[str, int]:
    """Parts of its requests by subset."""
    return {part["destination"]["subset"]: part["weight"] for part in route["route"]}


def _takes(match: Json, asked: Asked) -> bool:
    headers = {**asked.headers, ":path": asked.path}
    return (
        ("uri" not in match or _text(match["uri"], asked.path))
        and ("method" not in match or _text(match["method"], asked.method))
        and all(_text(wanted, headers.get(name.lower())) for name, wanted in match.get("headers", {}).items())
    )


def _text(wanted: Json, text: str | None) -> bool:
    if text is None:
        return False
    if "exact" in wanted:
        return bool(text == wanted["exact"])
    if "prefix" in wanted:
        return text.startswith(wanted["prefix"])
    return re.fullmatch(wanted["regex"], text) is not None
