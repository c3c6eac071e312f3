from collections.abc import Callable
from typing import Any

import pytest

from seatrial.render import render
from seatrial.render.routes import proto_duration

Make = Callable[..., Any]
SAFE = "connect-failure,refused-stream,reset-before-request"


def routes(make: Make, traffic: dict[str, Any], **given: Any) -> list[dict[str, Any]]:
    objects = render(make({"port": 8080, "traffic": traffic}, **given))
    http: list[dict[str, Any]] = next(o for o in objects if o["kind"] == "VirtualService")["spec"]["http"]
    return http


def rule(make: Make, traffic: dict[str, Any], **given: Any) -> Any:
    objects = render(make({"port": 8080, "traffic": traffic}, **given))
    return next(o for o in objects if o["kind"] == "DestinationRule")["spec"]


def test_retries_act_in_full_on_idempotent_methods_and_elsewhere_only_where_nothing_arrived(make: Make) -> None:
    full, rest = routes(make, {"retries": {"attempts": 3, "perTryTimeout": "250ms", "retryOn": ["5xx"]}})
    assert full["match"] == [{"method": {"regex": "DELETE|GET|HEAD|OPTIONS|PUT|TRACE"}}]
    assert full["retries"] == {"attempts": 3, "retryOn": "5xx", "perTryTimeout": "0.25s"}
    assert "match" not in rest
    assert rest["retries"] == {"attempts": 3, "retryOn": SAFE}


@pytest.mark.parametrize("retries", [{"attempts": 0}, {"attempts": 2, "retryOn": []}])
def test_no_retries_are_said_so_that_istio_adds_none(make: Make, retries: dict[str, Any]) -> None:
    (only,) = routes(make, {"retries": retries})
    assert only["retries"] == {"attempts": 0}


def test_a_route_for_one_method_is_one_route(make: Make) -> None:
    patch = {"match": {"method": "PATCH"}}
    put = {"match": {"method": "PUT"}}
    post = {"match": {"method": "POST"}, "idempotent": True}
    found = routes(make, {"routes": [patch, put, post]})
    assert [r["name"] for r in found] == ["route-1", "route-2", "route-3", "default-idempotent", "default"]
    assert found[0]["retries"]["retryOn"] == SAFE
    assert found[1]["retries"] == found[2]["retries"] == found[3]["retries"]


def test_the_first_match_wins_and_nothing_follows_one_that_takes_all(make: Make) -> None:
    everything = {"match": {}, "idempotent": True, "timeout": "1s"}
    found = routes(make, {"routes": [{"match": {"path": {"prefix": "/a"}}, "idempotent": True}, everything]})
    assert [(r["name"], r["timeout"]) for r in found] == [("route-1", "15s"), ("route-2", "1s")]


def test_a_route_takes_its_own_policy_and_else_that_of_traffic(make: Make) -> None:
    own = {"match": {"path": {"exact": "/a"}}, "timeout": "8s", "retries": {"attempts": 1}}
    other = {"match": {"path": {"exact": "/b"}, "headers": {"x-b": "1", "x-a": "2"}}}
    found = {r["name"]: r for r in routes(make, {"timeout": "5s", "routes": [own, other]})}
    assert (found["route-1"]["timeout"], found["route-1"]["retries"]["attempts"]) == ("8s", 1)
    assert (found["route-2"]["timeout"], found["route-2"]["retries"]["attempts"]) == ("5s", 2)
    assert found["route-2"]["match"] == [
        {"uri": {"exact": "/b"}, "headers": {"x-a": {"exact": "2"}, "x-b": {"exact": "1"}}}
    ]


def test_no_timeout_is_said_by_none_since_istio_takes_no_zero(make: Make) -> None:
    assert all("timeout" not in r for r in routes(make, {"timeout": "0s"}))


def test_destinations_without_a_share_are_left_out(make: Make) -> None:
    found = routes(make, {}, weights={1: 100, 2: 0}, subsets=[1, 2])
    assert [d["destination"]["subset"] for d in found[0]["route"]] == ["r1"]


def test_there_is_no_route_before_there_is_something_to_route_to(make: Make) -> None:
    kinds = [o["kind"] for o in render(make({"port": 8080, "expose": [{"host": "a"}]}, weights={}, revisions={1: {}}))]
    assert "VirtualService" not in kinds
    assert "DestinationRule" in kinds


def test_subsets_are_those_that_were_decided(make: Make) -> None:
    spec = rule(make, {}, weights={2: 100}, subsets=[10, 2])
    assert [s["name"] for s in spec["subsets"]] == ["r2", "r10"]
    assert spec["subsets"][1]["labels"] == {"seatrial.dev/revision": "10"}


def test_mutual_tls_is_explicit(make: Make) -> None:
    assert rule(make, {})["trafficPolicy"] == {"tls": {"mode": "ISTIO_MUTUAL"}}


def test_a_breaker_limits_and_ejects(make: Make) -> None:
    breaker = {
        "maxConnections": 7,
        "maxPendingRequests": 8,
        "maxRequests": 9,
        "consecutive5xxErrors": 3,
        "ejectFor": "1m30s",
    }
    policy = rule(make, {"circuitBreaker": breaker})["trafficPolicy"]
    assert policy["connectionPool"] == {
        "tcp": {"maxConnections": 7},
        "http": {"http1MaxPendingRequests": 8, "http2MaxRequests": 9},
    }
    assert policy["outlierDetection"] == {
        "consecutive5xxErrors": 3,
        "interval": "5s",
        "baseEjectionTime": "90s",
        "maxEjectionPercent": 50,
        "minHealthPercent": 0,
    }


def test_ejecting_no_pod_is_no_ejection_where_istio_would_take_zero_for_its_default(make: Make) -> None:
    assert "outlierDetection" not in rule(make, {"circuitBreaker": {"maxEjectionPercent": 0}})["trafficPolicy"]


def test_tcp_ports_are_routed_by_weight_too(make: Make) -> None:
    ports = [{"name": n, "port": p, "targetPort": p, "appProtocol": "tcp"} for n, p in (("db", 5432), ("repl", 5433))]
    inputs = make({"ports": ports}, weights={1: 75, 2: 25})
    spec = next(o for o in render(inputs) if o["kind"] == "VirtualService")["spec"]
    assert "http" not in spec
    assert [(t["match"], [d["weight"] for d in t["route"]]) for t in spec["tcp"]] == [
        ([{"port": 5432}], [75, 25]),
        ([{"port": 5433}], [75, 25]),
    ]


@pytest.mark.parametrize(
    ("given", "text"),
    [("250ms", "0.25s"), ("1m30s", "90s"), ("5s", "5s"), ("10s", "10s"), ("1h", "3600s"), ("1ms", "0.001s")],
)
def test_durations_have_protobufs_one_form(given: str, text: str) -> None:
    assert proto_duration(given) == text
