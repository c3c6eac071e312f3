"""Whom a route is for: the policy of traffic holds for everybody, and each request goes where its strategy says."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.api.meshservice import MeshService
from seatrial.render import Inputs, render
from seatrial.render.variants import cookie_regex
from seatrial.rollout.world import Mirror, Routing
from support.asked_routes import Asked, parts_of, route_for
from support.routings import STRATEGIES, moving, rollout_of

Json = dict[str, Any]
BOTH = frozenset({1, 2})
PATHS = st.none() | st.sampled_from([{"exact": "/v1/orders"}, {"prefix": "/v1"}, {"regex": "/v[12]/.*"}])
HEADERS = st.sampled_from(
    [{}, {"x-beta": "yes"}, {"X-Beta": "no"}, {"x-tier": "gold"}, {"Cookie": "plan=gold; beta=1"}]
)
ROUTE = st.fixed_dictionaries(
    {
        "match": st.fixed_dictionaries(
            {"method": st.none() | st.sampled_from(["GET", "POST", "DELETE"]), "path": PATHS, "headers": HEADERS}
        ),
        "timeout": st.none() | st.sampled_from(["1s", "2s"]),
        "retries": st.none() | st.sampled_from([{"attempts": 0}, {"attempts": 3, "perTryTimeout": "250ms"}]),
        "idempotent": st.booleans(),
    }
)
TRAFFIC = st.fixed_dictionaries({"routes": st.lists(ROUTE, max_size=3)})
ASKED = st.builds(
    Asked,
    st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "TRACE"]),
    st.sampled_from(["/v1/orders", "/v1/a", "/v2/a", "/"]),
    st.fixed_dictionaries(
        {},
        optional={
            "x-beta": st.sampled_from(["yes", "no"]),
            "x-tier": st.just("gold"),
            "x-seatrial-preview": st.sampled_from(["orders", "users"]),
            "cookie": st.sampled_from(
                ["plan=gold; beta=1", "beta=1; a=b;plan=gold", "plan=gold", "plan=golden; beta=1"]
            ),
        },
    ),
)


def routes(rollout: Json, routing: Routing, traffic: Json | None = None, name: str = "orders") -> list[Json]:
    expose = [{"host": "shop.localhost"}]
    spec = {"image": "x", "port": 8080, "rollout": rollout, "traffic": traffic or {}, "expose": expose}
    meta = {"name": "orders", "namespace": "shop", "uid": "u"}
    objects = render(Inputs(MeshService.parse({"metadata": meta, "spec": spec}), {}, routing, {}))
    found: list[Json] = next(o for o in objects if (o["kind"], o["metadata"]["name"]) == ("VirtualService", name))[
        "spec"
    ]["http"]
    return found


def everything(rollout: Json, routing: Routing, traffic: Json) -> list[Json]:
    expose = [{"host": "shop.localhost", "prefix": "/a", "rewrite": "/"}, {"host": "b.localhost"}]
    spec = {"image": "x", "port": 8080, "rollout": rollout, "traffic": traffic, "expose": expose}
    meta = {"name": "orders", "namespace": "shop", "uid": "u"}
    return render(Inputs(MeshService.parse({"metadata": meta, "spec": spec}), {}, routing, {}))


@given(st.data(), STRATEGIES, TRAFFIC)
def test_no_route_and_no_copy_goes_to_a_subset_that_is_not_there(
    data: st.DataObject, strategy: str, traffic: Json
) -> None:
    objects = everything(rollout_of(strategy), data.draw(moving(strategy)), traffic)
    (known,) = [{s["name"] for s in o["spec"]["subsets"]} for o in objects if o["kind"] == "DestinationRule"]
    for route in (r for o in objects if o["kind"] == "VirtualService" for r in o["spec"]["http"]):
        assert {e["destination"]["subset"] for e in (*route["route"], *route.get("mirrors", ()))} <= known
        assert all(part["weight"] > 0 for part in route["route"])


@given(st.data(), STRATEGIES, TRAFFIC)
def test_no_two_routes_of_one_object_ask_for_the_same(data: st.DataObject, strategy: str, traffic: Json) -> None:
    for obj in everything(rollout_of(strategy), data.draw(moving(strategy)), traffic):
        if obj["kind"] == "VirtualService":
            asked = [json.dumps(r.get("match"), sort_keys=True) for r in obj["spec"]["http"]]
            assert len(set(asked)) == len(asked)


def policy(route: Json | None) -> Json:
    assert route is not None
    return {key: route[key] for key in ("timeout", "retries") if key in route}


@given(st.data(), STRATEGIES, TRAFFIC, ASKED, st.sampled_from(["orders", "orders-expose"]))
def test_timeouts_and_retries_are_the_same_for_everybody(
    data: st.DataObject, strategy: str, traffic: Json, asked: Asked, name: str
) -> None:
    rollout = rollout_of(strategy)
    now = routes(rollout, data.draw(moving(strategy)), traffic, name)
    plain = routes(rollout, Routing({1: 100}, BOTH), traffic, name)
    assert policy(route_for(now, asked)) == policy(route_for(plain, asked))


def is_meant(asked: Asked) -> bool:
    """What `rollout_of("abTest")` says."""
    pairs = [pair.strip() for pair in asked.headers.get("cookie", "").split(";")]
    return asked.headers.get("x-beta", "").startswith("y") or {"plan=gold", "beta=1"} <= set(pairs)


@given(TRAFFIC, ASKED, st.sampled_from(["orders", "orders-expose"]))
def test_who_matches_goes_to_the_new_revision_and_everyone_else_to_stable(
    traffic: Json, asked: Asked, name: str
) -> None:
    route = route_for(routes(rollout_of("abTest"), Routing({1: 100}, BOTH, marked=2), traffic, name), asked)
    assert route is not None
    assert parts_of(route) == ({"r2": 100} if is_meant(asked) else {"r1": 100})


@given(TRAFFIC, ASKED, st.sampled_from(["orders", "orders-expose"]))
def test_previews_of_this_service_alone_go_to_the_new_revision(traffic: Json, asked: Asked, name: str) -> None:
    route = route_for(routes({"strategy": "blueGreen"}, Routing({1: 100}, BOTH, marked=2), traffic, name), asked)
    assert route is not None
    preview = asked.headers.get("x-seatrial-preview") == "orders"
    assert parts_of(route) == ({"r2": 100} if preview else {"r1": 100})


def test_a_preview_may_be_marked_in_another_way() -> None:
    rollout = {"strategy": "blueGreen", "match": [{"cookies": {"preview": "on"}}]}
    found = routes(rollout, Routing({1: 100}, BOTH, marked=2))
    marked = route_for(found, Asked(headers={"cookie": "a=b; preview=on"}))
    usual = route_for(found, Asked(headers={"x-seatrial-preview": "orders"}))
    assert marked is not None
    assert usual is not None
    assert (parts_of(marked), parts_of(usual)) == ({"r2": 100}, {"r1": 100})


@given(TRAFFIC, ASKED, st.integers(1, 100), st.sampled_from(["orders", "orders-expose"]))
def test_safe_requests_alone_are_copied_and_stable_answers_all(
    traffic: Json, asked: Asked, percent: int, name: str
) -> None:
    routing = Routing({1: 100}, BOTH, mirror=Mirror(2, percent))
    route = route_for(routes({"strategy": "mirror"}, routing, traffic, name), asked)
    assert route is not None
    assert parts_of(route) == {"r1": 100}
    copies = [(m["destination"]["subset"], m["percentage"]["value"]) for m in route.get("mirrors", ())]
    assert copies == ([("r2", percent)] if asked.method in {"GET", "HEAD", "OPTIONS"} else [])


@pytest.mark.parametrize(
    ("header", "has"),
    [
        ("a=1", True),
        ("b=2;a=1", True),
        ("b=2;  a=1 ;c=3", True),
        ("b=a=1", False),
        ("aa=1", False),
        ("a=11", False),
        ("a=1.0", False),
        ("b=2", False),
    ],
)
def test_a_cookie_is_found_among_others_and_never_in_them(header: str, has: bool) -> None:  # noqa: FBT001 # a case
    assert (re.fullmatch(cookie_regex({"a": "1"}), header) is not None) == has
