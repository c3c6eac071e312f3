"""Whom a route is for: the public, requests that the rollout marks, copies of safe ones, users who stay on their side.

Each policy of traffic becomes one route for each variant, so a request has its timeout and retries whoever it is for.
The first match wins and the public comes last. A route's name ends in what it is for, and so it is read back exactly.

Users who stay are told apart by a cookie. Who has none is drawn by the weights, and the cookie says the outcome: the
canary's revision (`r3.7`, of attempt 7), or the weight of the step in which he was left with stable (`s25.7`). Of
those whom stable kept when the canary had v percent, 100 - v of all, a step to w percent takes w - v, and 100 - w
stay. Whoever skipped steps is drawn by the weight of his own one, so the canary has w of all users at each step,
exactly: Istio's weights need not sum to 100. Each answer renews the cookie, the canary's and stable's alike: if one
side forgot its users sooner, the share would drift.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import Any

from seatrial.api.base import seconds
from seatrial.api.meshservice import IDEMPOTENT, SAFE
from seatrial.api.rollouts import Affinity, Audience
from seatrial.render.inputs import Inputs
from seatrial.rollout.world import Mirror, Sticky

Headers = Mapping[str, Mapping[str, str]]
Method = Mapping[str, str]

MARKED = ".marked"
MIRRORED = ".mirrored"
KEPT = ".kept-"
DRAWN = ".drawn-"

_SAFE = {"regex": "|".join(SAFE)}
_IDEMPOTENT = {"regex": "|".join(IDEMPOTENT)}
_COOKIE = "cookie"
_GAP = r"[ \t]*"


@dataclass(frozen=True)
class Policy:
    """One HTTP route, before it is said where its path is: at the service itself, or behind a prefix at the edge.

    One of `alternatives` must hold: each is a set of headers.
    """

    name: str
    method: Method | None = None
    alternatives: tuple[Headers, ...] = ({},)
    settings: dict[str, Any] = field(default_factory=dict)

    def matches(self, uri: Mapping[str, str] | None, more: Headers | None = None) -> list[dict[str, Any]]:
        """The HTTPMatchRequests; one that is empty takes everything."""
        found = []
        for headers in self.alternatives:
            parts = {"uri": uri, "method": self.method, "headers": {**headers, **(more or {})}}
            found.append({k: v for k, v in parts.items() if v})
        return found


@dataclass(frozen=True)
class Variant:
    """Some requests and where they go: parts by revision, and a header that the answer gets with each revision."""

    parts: Mapping[int, int]
    suffix: str = ""
    audience: tuple[Headers, ...] = ()
    safe_only: bool = False
    cookies: Mapping[int, str] = field(default_factory=dict)
    mirror: Mirror | None = None

    def of(self, policy: Policy) -> Policy | None:
        """The policy for those requests alone; None where no request is of both."""
        method = _safe(policy.method) if self.safe_only else policy.method
        alternatives = _both(policy.alternatives, self.audience) if self.audience else policy.alternatives
        if not alternatives or (self.safe_only and method is None):
            return None
        return replace(policy, name=policy.name + self.suffix, method=method, alternatives=alternatives)


def variants(inputs: Inputs, *, edge: bool) -> list[Variant]:
    """All of them, the first match first; the public is the last. Users are told apart at the edge alone."""
    return [*_beside(inputs, edge=edge), _public(inputs, edge=edge)]


def _beside(inputs: Inputs, *, edge: bool) -> Iterator[Variant]:
    routing, rollout = inputs.routing, inputs.service.spec.rollout
    audience = tuple(_headers(a) for a in rollout.audience(inputs.name))
    if routing.marked is not None and audience:
        yield Variant({routing.marked: 100}, MARKED, audience)
    if routing.mirror is not None:
        yield Variant(routing.shares, MIRRORED, safe_only=True, mirror=routing.mirror)
    if edge and routing.sticky is not None and rollout.affinity is not None:
        yield from _users(inputs, routing.sticky, rollout.affinity)


def _public(inputs: Inputs, *, edge: bool) -> Variant:
    sticky, affinity = inputs.routing.sticky, inputs.service.spec.rollout.affinity
    cookies = _cookies(inputs, sticky, affinity) if edge and sticky and affinity else {}
    return Variant(inputs.routing.shares, cookies=cookies)


# -- users who stay


def _users(inputs: Inputs, sticky: Sticky, affinity: Affinity) -> Iterator[Variant]:
    cookies = _cookies(inputs, sticky, affinity)
    name = cookie_name(inputs, affinity)
    for revision in sorted(inputs.routing.shares, key=lambda r: r != sticky.canary):
        value = _value(inputs, sticky, revision)
        audience = ({_COOKIE: {"regex": cookie_regex({name: value})}},)
        yield Variant({revision: 100}, KEPT + value, audience, cookies={revision: cookies[revision]})
    for weight in sticky.earlier:
        value = _kept(weight, sticky)
        audience = ({_COOKIE: {"regex": cookie_regex({name: value})}},)
        yield Variant(inputs.routing.drawn_from(weight), DRAWN + value, audience, cookies=cookies)


def cookie_name(inputs: Inputs, affinity: Affinity) -> str:
    """With the service's name: services that share a host must not overwrite each other's cookies."""
    return f"{affinity.cookie}-{inputs.name}"


def _value(inputs: Inputs, sticky: Sticky, revision: int) -> str:
    if revision == sticky.canary:
        return f"r{revision}.{sticky.attempt}"
    return _kept(inputs.routing.shares[sticky.canary], sticky)


def _kept(weight: int, sticky: Sticky) -> str:
    return f"s{weight}.{sticky.attempt}"


def _cookies(inputs: Inputs, sticky: Sticky, affinity: Affinity) -> dict[int, str]:
    """Set-Cookie of the users of each revision."""
    attributes = [f"Max-Age={int(seconds(affinity.for_))}", "Path=/", "HttpOnly", "SameSite=Lax"]
    if all(e.tls for e in inputs.service.spec.expose):
        attributes.append("Secure")
    name = cookie_name(inputs, affinity)
    return {r: "; ".join([f"{name}={_value(inputs, sticky, r)}", *attributes]) for r in inputs.routing.shares}


# -- what is matched


def _headers(audience: Audience) -> Headers:
    headers = {name.lower(): match.dump() for name, match in sorted(audience.headers.items())}
    return headers | ({_COOKIE: {"regex": cookie_regex(audience.cookies)}} if audience.cookies else {})


def cookie_regex(cookies: Mapping[str, str]) -> str:
    """The Cookie header as a whole when it has all of these, in any order, among others (RFC 6265, section 4.2.1)."""
    pairs = [re.escape(f"{name}={value}") for name, value in sorted(cookies.items())]
    between = f"{_GAP};(?:.*;)?{_GAP}"
    orders = "|".join(between.join(order) for order in permutations(pairs))
    return f"(?:.*;)?{_GAP}(?:{orders}){_GAP}(?:;.*)?"


def _safe(method: Method | None) -> Method | None:
    if method in (None, _IDEMPOTENT):
        return _SAFE
    return method if method and method.get("exact") in SAFE else None


def _both(some: Iterable[Headers], others: Iterable[Headers]) -> tuple[Headers, ...]:
    """All ways in which one of each holds at once."""
    merged = (_merged(one, other) for one in some for other in others)
    return tuple(m for m in merged if m is not None)


def _merged(policy: Headers, audience: Headers) -> Headers | None:
    """A match has each header once: a policy names an exact value, and the audience takes it or doesn't."""
    exact = {name.lower(): match["exact"] for name, match in policy.items()}
    if not all(_holds(match, exact[name]) for name, match in audience.items() if name in exact):
        return None
    return {**policy, **{name: match for name, match in audience.items() if name not in exact}}


def _holds(match: Mapping[str, str], text: str) -> bool:
    if "regex" in match:
        return re.fullmatch(match["regex"], text) is not None
    return text == match["exact"] if "exact" in match else text.startswith(match["prefix"])
