"""Whether a MeshService can be used, decided without a cluster: `accept` gives it, or all that is wrong with it.

Reading is as strict as the API server: no text for a number, no snake_case. Beyond the schema and the
rules stands here what neither CEL nor a type can say.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from seatrial.api.base import API_VERSION, Model
from seatrial.api.meshservice import MeshService, MeshServiceSpec, MeshServiceStatus
from seatrial.api.names import INJECTED_VARIABLES
from seatrial.api.patches import pod_template_problems
from seatrial.api.problems import Location, Problem, node, path_of, shown, translated
from seatrial.api.rules import rules_of

Json = Mapping[str, Any]

_FREE = (("spec", "podTemplate"),)  # what is below belongs to Kubernetes, not to us
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_NO_HEADERS = frozenset({"uri", "scheme", "method", "authority"})  # passed over in a match, which would take everything
_COOKIE_NAME = re.compile(r"[A-Za-z0-9!#$&'*+.^_`|~-]+")
_COOKIE_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]+")  # RFC 6265, section 4.1.1
_MOST_ROUTES = 1500  # of about 850 bytes each
_MOST_WEIGHTS_CHOSEN = 9  # where the evidence chooses: from 5 percent on, half as much again each time
_NOT_RE2 = re.compile(r"\(\?[=!<]|\\[1-9]|\(\?P?[=>]|[*+?}]\+")


def accept(obj: Json) -> MeshService | list[Problem]:
    """Read a MeshService as the API server has it or as a manifest gives it.

    The problems are those of its content alone: what it refers to is `seatrial.api.references`' part.
    """
    problems: list[Problem] = []
    data = _cleaned({k: v for k, v in obj.items() if k != "status"}, (), problems)
    told = {p.field for p in problems}
    try:
        service = MeshService.model_validate(data, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        problems += [p for p in translated(error.errors(include_url=False)) if p.field not in told]
        return problems
    problems += [*_broken_rules(service, service, ()), *_beyond_the_schema(service)]
    if problems:
        return problems
    return service.model_copy(update={"status": MeshServiceStatus.parse(obj.get("status") or {})})


def kind_of(obj: Json) -> str:
    """``MeshService`` for one of ours, and the empty string for everything else."""
    return str(obj.get("kind", "")) if obj.get("apiVersion") == API_VERSION else ""


def _cleaned(value: object, at: Location, problems: list[Problem]) -> object:
    """The data as kubectl would send it: empty fields left out, keys made text, which is told where it was a value."""
    if at in _FREE:
        return value
    if isinstance(value, list):
        return [_cleaned(v, (*at, i), problems) for i, v in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    out = {}
    for key, child in value.items():
        name = key if isinstance(key, str) else str(key).lower()
        here = (*at, name)
        if name is not key and "additionalProperties" in node(at):
            problems.append(Problem(path_of(here), f"the key {shown(key)} isn't text", "put it in quotes", value=key))
        if child is not None:
            out[name] = _cleaned(child, here, problems)
    return out


def _broken_rules(value: object, service: MeshService, at: Location) -> Iterator[Problem]:
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from _broken_rules(item, service, (*at, i))
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _broken_rules(item, service, (*at, key))
    if not isinstance(value, Model):
        return
    for rule in rules_of(type(value).__name__):
        if not rule.holds(value):
            seen = rule.shown(value)
            where = path_of((*at, *rule.field.split("."))) if rule.field else path_of(at)
            yield Problem(where, rule.told(seen), rule.remedy, value=seen[0] if isinstance(seen, tuple) else seen)
    for name, field in type(value).model_fields.items():
        yield from _broken_rules(getattr(value, name), service, (*at, field.alias or name))


def _beyond_the_schema(service: MeshService) -> Iterator[Problem]:
    spec = service.spec
    yield from _itself_by_namespace(service)
    yield from _same_twice(spec)
    yield from _needs_http(spec)
    yield from _matches(spec)
    yield from _too_many_routes(spec)
    yield from _taken_names(spec)
    yield from pod_template_problems(spec.pod_template)


def _itself_by_namespace(service: MeshService) -> Iterator[Problem]:
    own = (service.metadata.name, service.metadata.namespace)
    security = service.spec.security
    ends = {f"calls[{i}]": (c.service, c.namespace) for i, c in enumerate(security.calls)}
    ends |= {f"callers[{i}]": (c.service, c.namespace) for i, c in enumerate(security.callers)}
    for where, end in ends.items():
        if end == own:
            message, remedy = f"{own[0]} calls itself", "take it out: a revision must not be judged by its own requests"
            yield Problem(f"spec.security.{where}", message, remedy, value=own[0])


def _same_twice(spec: MeshServiceSpec) -> Iterator[Problem]:
    lists: dict[str, list[object]] = {
        "spec.ports": [p.name for p in spec.ports],
        "spec.expose": [e.place for e in spec.expose],
        "spec.traffic.retries.retryOn": list(spec.traffic.retries.on),
    }
    lists |= {f"spec.security.callers[{i}].methods": list(c.methods) for i, c in enumerate(spec.security.callers)}
    lists |= {
        f"spec.traffic.routes[{i}].retries.retryOn": list(r.retries.on)
        for i, r in enumerate(spec.traffic.routes)
        if r.retries
    }
    for where, values in lists.items():
        for i, value in enumerate(values):
            if value in values[:i]:
                yield Problem(f"{where}[{i}]", f"{value} is there twice", "take one out", value=value)


def _needs_http(spec: MeshServiceSpec) -> Iterator[Problem]:
    if any(p.app_protocol != "tcp" for p in spec.service_ports):
        return
    asked = [f"spec.probes.{name}" for name, path in spec.probes.dump().items() if path]
    for where in (*asked, *(["spec.expose"] if spec.expose else [])):
        yield Problem(where, "needs an http port, and there is none", "give `port: NUMBER`, or take it out")


def _matches(spec: MeshServiceSpec) -> Iterator[Problem]:
    for i, route in enumerate(spec.traffic.routes):
        where = f"spec.traffic.routes[{i}].match"
        if route.match.path and route.match.path.regex is not None:
            yield from _expression(f"{where}.path.regex", route.match.path.regex)
        yield from _header_names(f"{where}.headers", route.match.headers)
    for i, audience in enumerate(spec.rollout.match):
        where = f"spec.rollout.match[{i}]"
        yield from _header_names(f"{where}.headers", audience.headers)
        for name, match in audience.headers.items():
            if name.lower() == "cookie":
                yield Problem(f"{where}.headers.{name}", "has all cookies in one text", f"write it as {where}.cookies")
            if match.regex is not None:
                yield from _expression(f"{where}.headers.{name}.regex", match.regex)
        for name, value in audience.cookies.items():
            if not _COOKIE_NAME.fullmatch(name):
                yield Problem(
                    f"{where}.cookies", f"{shown(name)} isn't a cookie's name", "take letters, digits, - and _"
                )
            if not _COOKIE_VALUE.fullmatch(value):
                message, remedy = f"{shown(value)} isn't a cookie's value", 'take out spaces, commas, ;, " and \\'
                yield Problem(f"{where}.cookies.{name}", message, remedy, value=value)


def _header_names(where: str, names: Iterable[str]) -> Iterator[Problem]:
    for name in names:
        if not _HEADER.fullmatch(name):
            yield Problem(where, f"{shown(name)} isn't a header's name", "take letters, digits and -")
        elif name.lower() in _NO_HEADERS:
            yield Problem(where, f"Istio takes no header that is called {name}", "take another one", value=name)


def _expression(where: str, regex: str) -> Iterator[Problem]:
    if why := _no_re2(regex):
        yield Problem(where, f"{shown(regex)} {why}", "write it in RE2's syntax", value=regex)


def _no_re2(regex: str) -> str:
    try:
        re.compile(regex)
    except re.error as error:
        return f"isn't a regular expression: {error}"
    return "has a look-around, a back reference or a possessive quantifier" if _NOT_RE2.search(regex) else ""


def _too_many_routes(spec: MeshServiceSpec) -> Iterator[Problem]:
    """The API server stores no object of more than 1.5 MB, and would refuse the gateway's routes in mid-rollout."""
    rollout = spec.rollout
    kinds = 1 + (len(rollout.match) or 1) * (rollout.strategy in {"abTest", "blueGreen", "mirror"})
    if rollout.affinity is not None:
        kinds = 2 + (len(rollout.steps) or _MOST_WEIGHTS_CHOSEN)
    policies = 2 * (len(spec.traffic.routes) + 1)  # one for methods that may be repeated, one for the rest
    prefixes = len({(e.prefix, e.rewrite) for e in spec.expose})
    if (routes := policies * kinds * prefixes) > _MOST_ROUTES:
        yield Problem(
            "spec.traffic.routes",
            f"makes about {routes} routes on the gateway with what expose and rollout add; {_MOST_ROUTES} fit",
            "take some routes out, or some prefixes of expose, or steps where there is affinity",
            value=len(spec.traffic.routes),
        )


def _taken_names(spec: MeshServiceSpec) -> Iterator[Problem]:
    for name in INJECTED_VARIABLES:
        if name in spec.env:
            yield Problem(f"spec.env.{name}", "is set by Seatrial in every pod", "choose another name", value=name)
