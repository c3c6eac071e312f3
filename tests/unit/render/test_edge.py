"""The routes at the edge against a model of Istio: a request ends where the specs say, whatever prefixes there are."""

import re
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seatrial.api.meshservice import MeshService
from seatrial.render import Inputs, render, render_hosts
from seatrial.rollout.world import Routing

Json = dict[str, Any]
CALM = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # the machine may be busy


def service(name: str, created: str, expose: list[Json], routes: list[Json]) -> MeshService:
    metadata = {"name": name, "namespace": "shop", "uid": name, "creationTimestamp": created}
    spec = {"image": "x", "port": 8080, "expose": expose, "traffic": {"routes": routes, "retries": {"attempts": 0}}}
    return MeshService.parse({"metadata": metadata, "spec": spec})


# -- Istio: a delegate's routes within the matches of its root, as pilot/pkg/model/virtualservice.go merges them


def conflict(root: Json, leaf: Json) -> bool:
    if "regex" in root or "regex" in leaf:
        return True
    if "exact" in root:
        return bool(leaf.get("exact") != root["exact"])
    text: str = leaf["exact"] if "exact" in leaf else leaf["prefix"]
    return not text.startswith(root["prefix"])


def merged(root: Json, delegate: list[Json]) -> Iterator[Json]:
    """A route is kept when each of its matches lies within one of the root's."""
    outer = [m["uri"] for m in root.get("match", ())]
    for route in delegate:
        if not outer or all(any(not conflict(o, m["uri"]) for o in outer) for m in route["match"]):
            yield route


# -- Envoy: the first route that matches


def string_match(match: Json, text: str) -> bool:
    if "exact" in match:
        return bool(text == match["exact"])
    if "prefix" in match:
        return text.startswith(match["prefix"])
    return re.fullmatch(match["regex"], text) is not None


def matches(match: Json, host: str, path: str) -> bool:
    headers = {":path": f"{path}?q=1"}
    return (
        string_match(match["uri"], path)
        and ("authority" not in match or string_match(match["authority"], f"{host}:8080"))
        and all(string_match(m, headers[name]) for name, m in match.get("headers", {}).items())
    )


def answered(objects: list[Json], host: str, path: str) -> tuple[str, str, str] | None:
    """Service, route and path that the service sees."""
    by_name = {o["metadata"]["name"]: o for o in objects if o["kind"] == "VirtualService"}
    for obj in by_name.values():
        if obj["spec"].get("hosts") != [host]:
            continue
        for root in obj["spec"]["http"]:
            for route in merged(root, by_name[root["delegate"]["name"]]["spec"]["http"]):
                for match in route["match"]:
                    if matches(match, host, path):
                        seen = rewritten(match["uri"], route.get("rewrite", {}).get("uri"), path)
                        name = by_name[root["delegate"]["name"]]["metadata"]["labels"]["seatrial.dev/service"]
                        return name, re.sub(rf"^{name}-\d+-", "", route["name"]), seen
    return None


def rewritten(uri: Json, rewrite: str | None, path: str) -> str:
    if rewrite is None:
        return path
    text: str = uri["exact"] if "exact" in uri else uri["prefix"]
    return rewrite + path.removeprefix(text)


# -- what the specs say


def expected(services: list[MeshService], host: str, path: str) -> tuple[str, str, str] | None:
    places = [
        (len(e.prefix.rstrip("/")), -i, s, e)
        for i, s in enumerate(services)
        for e in s.spec.expose
        if e.host == host and (path == e.prefix.rstrip("/") or path.startswith(e.prefix.rstrip("/") + "/"))
    ]
    if not places:
        return None
    _, _, found, expose = max(places, key=lambda p: p[:2])
    outside, inside = expose.prefix.rstrip("/"), (expose.rewrite or expose.prefix).rstrip("/")
    seen = inside + path.removeprefix(outside) or "/"
    for i, route in enumerate(found.spec.traffic.routes, start=1):
        where = route.match.path
        if where is None or string_match(where.dump(), seen):
            return found.metadata.name, f"route-{i}", seen
    return found.metadata.name, "default", seen


SEGMENTS = st.lists(st.sampled_from(["a", "b", "ab"]), max_size=3)
PREFIXES = st.builds(
    lambda segments, slash: "/" + "/".join(segments) + ("/" if segments and slash else ""), SEGMENTS, st.booleans()
)
TEXTS = st.builds(lambda segments, end: "/" + "/".join(segments) + end, SEGMENTS, st.sampled_from(["", "/", "a"]))
HOSTS = st.sampled_from(["one.localhost", "two.localhost"])
LITERAL = st.one_of(st.fixed_dictionaries({"exact": TEXTS}), st.fixed_dictionaries({"prefix": TEXTS}))
REGEX = st.fixed_dictionaries({"regex": st.sampled_from(["/a", "/[ab]+", "/a/.*", ".*", "/a|/b", "/"])})


def exposes(rewrites: st.SearchStrategy[str | None]) -> st.SearchStrategy[list[Json]]:
    one = st.fixed_dictionaries({"host": HOSTS, "prefix": PREFIXES, "rewrite": rewrites})
    return st.lists(one, min_size=1, max_size=3, unique_by=lambda e: (e["host"], e["prefix"].rstrip("/")))


def routes(paths: st.SearchStrategy[Json]) -> st.SearchStrategy[list[Json]]:
    return st.lists(st.builds(lambda path: {"match": {"path": path}}, paths), max_size=2)


def sea(
    rewrites: st.SearchStrategy[str | None], paths: st.SearchStrategy[Json]
) -> st.SearchStrategy[list[MeshService]]:
    old = st.builds(lambda e, r: service("old", "2026-01-01T00:00:00Z", e, r), exposes(rewrites), routes(paths))
    new = st.builds(lambda e, r: service("new", "2026-01-02T00:00:00Z", e, r), exposes(rewrites), routes(paths))
    return st.tuples(old, new).map(list)


def rendered(services: list[MeshService]) -> list[Json]:
    routing = Routing({1: 100}, frozenset({1}))
    objects = [o for s in services for o in render(Inputs(s, {}, routing, {}))]
    return objects + render_hosts("shop", services, routed={s.metadata.name for s in services})


@st.composite
def asked(draw: st.DrawFn, services: list[MeshService]) -> tuple[str, str]:
    """A host and a path that are likely to lead somewhere: a prefix as it is, or with what a policy names behind it."""
    places = [(e.host, e.prefix.rstrip("/")) for s in services for e in s.spec.expose]
    host, prefix = draw(st.sampled_from(places) | st.tuples(HOSTS, st.just("")))
    named = [p for s in services for r in s.spec.traffic.routes if r.match.path for p in r.match.path.dump().values()]
    rest = draw(st.sampled_from([*named, ""]) | TEXTS)
    return host, prefix + rest if rest.startswith("/") else prefix or "/"


@CALM
@given(sea(st.none() | PREFIXES, LITERAL), st.data())
def test_a_request_ends_where_the_specs_say(services: list[MeshService], data: st.DataObject) -> None:
    host, path = data.draw(asked(services))
    assert answered(rendered(services), host, path) == expected(services, host, path)


@CALM
@given(sea(st.none() | st.just("/"), REGEX), st.data())
def test_regular_expressions_hold_behind_prefixes_too(services: list[MeshService], data: st.DataObject) -> None:
    host, path = data.draw(asked(services))
    assert answered(rendered(services), host, path) == expected(services, host, path)


def exposed(path: str, *, prefix: str, rewrite: str | None = None) -> tuple[str, str, str] | None:
    one = service("a", "", [{"host": "one.localhost", "prefix": prefix, "rewrite": rewrite}], [])
    return answered(rendered([one]), "one.localhost", path)


def test_a_prefix_is_whole_segments() -> None:
    assert exposed("/apix", prefix="/api") is None
    assert exposed("/api", prefix="/api/") is not None


def test_a_prefix_taken_away_leaves_no_double_slash() -> None:
    assert exposed("/api/x", prefix="/api", rewrite="/") == ("a", "default", "/x")
    assert exposed("/api", prefix="/api", rewrite="/") == ("a", "default", "/")


def test_hosts_that_differ_in_their_prefixes_are_told_apart_with_and_without_port() -> None:
    places = [
        {"host": "one.localhost", "prefix": "/a", "rewrite": "/x"},
        {"host": "*.two", "prefix": "/a", "rewrite": "/y"},
    ]
    delegate = next(o for o in rendered([service("a", "", places, [])]) if o["metadata"]["name"] == "a-expose")
    found = {m["authority"]["regex"] for r in delegate["spec"]["http"] for m in r["match"]}
    one, two = sorted(found, key=lambda regex: "two" in regex)
    assert all(re.fullmatch(one, host) for host in ("one.localhost", "ONE.localhost:8080"))
    assert not re.fullmatch(one, "xone.localhost")
    assert re.fullmatch(two, "b.two:80")
    assert not re.fullmatch(two, ".two")
