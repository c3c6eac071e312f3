"""Lint: what only a set of manifests shows, and advice."""

from typing import Any

import pytest

from seatrial.api.accept import accept
from seatrial.api.advice import advice
from seatrial.api.lint import lint
from seatrial.api.meshservice import MeshService, MeshServiceSpec
from seatrial.api.problems import Level, Problem
from seatrial.api.references import Known, clashes, unresolved
from support.manifests import a_manifest


def service(name: str, **spec: Any) -> MeshService:
    read = accept(a_manifest(name, **spec))
    assert isinstance(read, MeshService), read
    return read


def lines(problems: list[Problem]) -> list[str]:
    return [str(p) for p in problems]


GATEWAY = a_manifest("gateway", security={"callers": [{"ingress": {}}], "calls": [{"service": "orders"}]})
ORDERS = a_manifest("orders", security={"callers": [{"service": "gateway"}]})


def test_two_halves_of_a_call_are_fine() -> None:
    assert lint([GATEWAY, ORDERS]) == []


def test_a_call_that_isnt_let_in_names_the_entry_to_add() -> None:
    (problem,) = lint([GATEWAY, a_manifest("orders")])
    assert problem.object == "MeshService gateway"
    assert problem.field == "spec.security.calls[0]"
    assert problem.level is Level.UNRESOLVED
    assert problem.remedy == "add `{service: gateway}` to spec.security.callers of orders"


def test_a_caller_that_never_calls_names_the_entry_to_add() -> None:
    (problem,) = lint([a_manifest("gateway"), ORDERS])
    assert problem.object == "MeshService orders"
    assert "add `{service: orders}` to spec.security.calls of gateway" in problem.remedy


def test_halves_in_two_namespaces_name_each_others() -> None:
    reports = a_manifest("reports", security={"calls": [{"service": "orders", "namespace": "shop"}]})
    reports["metadata"]["namespace"] = "bi"
    orders = a_manifest("orders", security={"callers": [{"service": "reports", "namespace": "bi"}]})
    orders["metadata"]["namespace"] = "shop"
    assert lint([reports, orders]) == []
    orders["spec"]["security"] = {"callers": [{"service": "reports"}]}
    (problem,) = lint([reports, orders])
    assert "{service: reports, namespace: bi}" in problem.remedy
    assert "shop/orders" in problem.remedy


def test_a_service_outside_the_files_may_be_in_the_cluster() -> None:
    assert lint([a_manifest("gateway", security={"calls": [{"service": "elsewhere"}]})]) == []


def test_in_a_cluster_a_service_that_nobody_has_is_missing_and_a_plain_one_isnt() -> None:
    caller = service(
        "gateway", security={"calls": [{"service": "db"}, {"service": "orders"}], "callers": [{"service": "x"}]}
    )
    known = Known.of([caller], plain={("", "db")}, complete=True)
    found = unresolved(caller, known)
    assert [p.field for p in found] == ["spec.security.calls[1]", "spec.security.callers[0]"]
    assert "there is no service orders" in found[0].message


def test_what_is_exposed_must_let_the_ingress_gateway_in() -> None:
    (problem,) = lint([a_manifest(expose=[{"host": "shop.localhost"}])])
    assert problem.field == "spec.expose"
    assert "{ingress: {}}" in problem.remedy


def exposed(
    name: str, host: str, prefix: str = "/", created: str | None = None, namespace: str = "shop"
) -> MeshService:
    manifest = a_manifest(name, expose=[{"host": host, "prefix": prefix}], security={"callers": [{"ingress": {}}]})
    manifest["metadata"] |= {"namespace": namespace, "creationTimestamp": created}
    read = accept(manifest)
    assert isinstance(read, MeshService), read
    return read


def test_of_two_that_expose_one_place_the_older_keeps_it() -> None:
    old, young = exposed("b", "h", created="2026-01-01T00:00:00Z"), exposed("a", "h", created="2026-01-02T00:00:00Z")
    known = Known.of([old, young], complete=True)
    assert clashes(old, known) == []
    (problem,) = clashes(young, known)
    assert problem.field == "spec.expose[0]"
    assert "h/: is exposed by shop/b" in problem.message


def test_a_slash_at_the_end_of_a_prefix_makes_no_other_place() -> None:
    first, second = exposed("a", "h", "/api"), exposed("b", "h", "/api/")
    assert [p.field for p in clashes(second, Known.of([first, second], complete=True))] == ["spec.expose[0]"]


def test_other_prefixes_of_a_host_are_free_within_its_namespace_only() -> None:
    first, second = exposed("a", "h"), exposed("b", "h", "/b")
    assert clashes(second, Known.of([first, second], complete=True)) == []
    stranger = exposed("c", "h", "/c", namespace="zoo")
    (problem,) = clashes(stranger, Known.of([first, stranger], complete=True))
    assert "the host belongs to the namespace of shop/a" in problem.message


def test_manifests_without_a_namespace_are_in_the_one_given() -> None:
    named = a_manifest("orders", security={"calls": [{"service": "orders", "namespace": "shop"}]})
    assert lint([named]) == []
    assert "calls itself" in lines(lint([named], namespace="shop"))[0]


def test_other_kinds_are_passed_over_and_wrong_ones_of_ours_are_not() -> None:
    assert lint([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}, {}]) == []
    assert "did" not in lines(lint([a_manifest() | {"kind": "MeshServise"}]))[0]
    found = lint(
        [
            a_manifest() | {"kind": "Revision"},
            a_manifest() | {"apiVersion": "seatrial.dev/v1"},
            a_manifest() | {"apiVersion": "v1"},
            a_manifest() | {"kind": "Service"},
        ]
    )
    assert [p.field for p in found] == ["kind", "apiVersion", "apiVersion", "kind"]


def test_lists_are_opened_and_a_name_twice_is_told() -> None:
    both = {"apiVersion": "v1", "kind": "List", "items": [a_manifest(), a_manifest()]}
    assert "MeshService orders: metadata.name: is there twice; rename one" in lines(lint([both]))


@pytest.mark.parametrize(
    ("spec", "field", "says"),
    [
        (
            {"traffic": {"timeout": "5s", "retries": {"attempts": 3, "perTryTimeout": "2s"}}},
            "spec.traffic.retries",
            "8s",
        ),
        (
            {
                "traffic": {
                    "routes": [{"match": {"method": "GET"}, "timeout": "1s", "retries": {"perTryTimeout": "1s"}}]
                }
            },
            "spec.traffic.routes[0].retries",
            "3 tries of 1s need 3s",
        ),
        (
            {"traffic": {"routes": [{"match": {"method": "POST"}, "retries": {"retryOn": ["5xx"]}}]}},
            "spec.traffic.routes[0].retries",
            "idempotent: true",
        ),
        (
            {"traffic": {"routes": [{"match": {}}, {"match": {"method": "GET"}}]}},
            "spec.traffic.routes[1]",
            "never reached",
        ),
        (
            {
                "traffic": {"routes": [{"match": {"path": {"regex": "/v1/.*"}}}]},
                "expose": [{"host": "a", "prefix": "/api/", "rewrite": "/v2"}],
            },
            "spec.traffic.routes[0].match.path.regex",
            "isn't found behind a/api, which is rewritten to /v2",
        ),
        ({"replicas": 3, "autoscaling": {"max": 5}}, "spec.replicas", "autoscaling decides"),
        ({"autoscaling": {"max": 5}}, "spec.autoscaling", "requests.cpu"),
        ({"traffic": {"circuitBreaker": {}}}, "spec.traffic.circuitBreaker", "alone"),
        ({"traffic": {"timeout": "60s"}}, "spec.traffic.timeout", "grace to 60s"),
        ({"rollout": {"strategy": "none", "steps": [50]}}, "spec.rollout.steps", "strategy is none"),
        ({"rollout": {"strategy": "blueGreen", "steps": [50]}}, "spec.rollout.steps", "strategy is blueGreen"),
        ({"rollout": {"match": [{"cookies": {"a": "b"}}]}}, "spec.rollout.match", "strategy is canary"),
        ({"rollout": {"mirrorPercent": 5}}, "spec.rollout.mirrorPercent", "strategy is canary"),
        ({"rollout": {"strategy": "blueGreen"}}, "spec.rollout.analysis", "nothing is learnt from the marked requests"),
        ({"rollout": {"strategy": "mirror"}}, "spec.rollout.analysis", "after 5s it goes on"),
        ({"rollout": {"analysis": {}}}, "spec.rollout.analysis", "has nobody to ask"),
        (
            {"rollout": {"analysis": {}}, "security": {"callers": [{"ingress": {}}]}},
            "spec.rollout.analysis",
            "nothing is exposed",
        ),
        ({"rollout": {"analysis": {}}, "port": None}, "spec.rollout.analysis", "no calls to count"),
        (
            {"rollout": {"hold": "10m", "analysis": {}}, "security": {"callers": [{"service": "a"}]}},
            "spec.rollout.analysis.stepTimeout",
            "make it longer than hold",
        ),
        (
            {"rollout": {"analysis": {"prometheus": {"address": "http://p"}}}},
            "spec.rollout.analysis.prometheus",
            "source is proxies",
        ),
        (
            {
                "rollout": {"strategy": "mirror", "analysis": {}},
                "security": {"callers": [{"service": "a", "methods": ["POST"]}]},
            },
            "spec.rollout.strategy",
            "nothing is copied",
        ),
        (
            {
                "rollout": {"strategy": "mirror", "analysis": {}},
                "port": None,
                "ports": [{"name": "g", "port": 80, "targetPort": 8080, "appProtocol": "grpc"}],
            },
            "spec.rollout.strategy",
            "gRPC calls are POST",
        ),
        ({"image": "registry:5000/orders"}, "spec.image", "version or a digest"),
    ],
)
def test_what_is_hardly_meant_is_advised_and_never_refused(spec: dict[str, Any], field: str, says: str) -> None:
    found = advice(service("orders", **spec).spec)
    (problem,) = [p for p in found if p.field == field]
    assert says in problem.sentence
    assert problem.level is Level.ADVICE


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"replicas": 1, "traffic": {"circuitBreaker": {"maxConnections": 9, "maxEjectionPercent": 0}}},
        {"replicas": 1, "autoscaling": {"max": 5}, "resources": {"requests": {"cpu": "50m"}}},
        {"traffic": {"timeout": "0s", "retries": {"attempts": 10, "perTryTimeout": "9s"}}},
        {"traffic": {"timeout": "6s", "retries": {"attempts": 2, "perTryTimeout": "2s"}}},
        {"traffic": {"routes": [{"match": {"method": "POST"}, "idempotent": True, "retries": {}}]}},
        {"traffic": {"routes": [{"match": {"method": "POST"}}, {"match": {"method": "GET"}}]}},
        {"image": "orders@sha256:abc"},
        {"rollout": {"analysis": {}}, "security": {"callers": [{"service": "a"}]}},
        {
            "rollout": {"affinity": {}, "steps": [], "analysis": {}},
            "security": {"callers": [{"ingress": {}}]},
            "expose": [{"host": "a"}],
        },
        {
            "rollout": {"strategy": "abTest", "match": [{"cookies": {"a": "b"}}], "analysis": {}},
            "security": {"callers": [{"service": "a"}]},
        },
    ],
)
def test_what_is_well_meant_draws_no_advice(spec: dict[str, Any]) -> None:
    assert advice(service("orders", **spec).spec) == []


def test_defaults_draw_no_advice() -> None:
    assert advice(MeshServiceSpec(image="orders:1")) == []
