"""Accepting a MeshService: all that is bad is named with field, value and remedy, and nothing good is refused."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from seatrial.api.accept import accept
from seatrial.api.crd import MESHSERVICES, schema
from seatrial.api.meshservice import MeshService
from seatrial.api.problems import Level, Problem
from support.manifests import OPERATOR, RULES, SCHEMA, Bad, a_manifest

FULL = """
apiVersion: seatrial.dev/v1alpha1
kind: MeshService
metadata: {name: orders, namespace: shop, creationTimestamp: null, labels: null}
spec:
  image: seatrial/orders:dev
  replicas: 2
  port: 8080
  env: {LOG_LEVEL: info}
  envFrom: [{secretRef: {name: orders-db}}, {prefix: F_, configMapRef: {name: flags, optional: true}}]
  resources: {requests: {cpu: 50m, memory: 64Mi}, limits: {cpu: 1}}
  migrate: {command: [alembic, upgrade, head], timeout: 2m}
  probes: {startup: /livez, live: /livez, ready: /readyz}
  shutdown: {drain: 30s, grace: 45s}
  podTemplate:
    metadata: {labels: {team: shop}, annotations: {a: b}}
    spec: {priorityClassName: null, tolerations: [{key: a}]}
  traffic:
    timeout: 5s
    retries: {attempts: 3, perTryTimeout: 1s, retryOn: [connect-failure, refused-stream, unavailable, gateway-error]}
    circuitBreaker: {maxConnections: 100, maxPendingRequests: 50, consecutive5xxErrors: 5, ejectFor: 30s}
    routes:
    - {match: {method: POST, path: {exact: /v1/orders}}, timeout: 8s, idempotent: true}
    - {match: {path: {regex: "/v1/orders/[0-9]+"}, headers: {x-tier: gold}}}
  security:
    callers: [{service: gateway}, {service: reports, namespace: bi, methods: [GET], paths: [/v1/*]}, {ingress: {}}]
    calls: [{service: payments}, {service: inventory}, {host: bank.example.com, port: 443}]
  expose: [{host: shop.local, prefix: /, rewrite: /, tls: {secretName: shop-tls}}]
  rollout: {strategy: canary, steps: [5, 25, 50], hold: 5s, progressDeadline: 2m, keepRevisions: 3}
  paused: false
status:
  observedGeneration: 3
  phase: Serving
  newer: fields are nobody's fault
"""


def refused(manifest: dict[str, Any]) -> list[Problem]:
    read = accept(manifest)
    assert isinstance(read, list), "it was accepted"
    return read


def test_a_full_manifest_is_accepted_with_its_status() -> None:
    service = accept(yaml.safe_load(FULL))
    assert isinstance(service, MeshService)
    assert service.spec.traffic.retries.attempts == 3
    assert service.status.observed_generation == 3


def test_what_was_accepted_is_accepted_again_as_it_is_dumped() -> None:
    service = accept(yaml.safe_load(FULL))
    assert isinstance(service, MeshService)
    assert accept(service.dump()) == service


@pytest.mark.parametrize("bad", [*RULES, *SCHEMA, *OPERATOR], ids=str)
def test_it_is_refused_at_the_right_field_with_a_remedy(bad: Bad) -> None:
    problems = refused(bad.manifest)
    (problem,) = [p for p in problems if p.field == bad.field]
    assert bad.says in problem.sentence
    assert problem.remedy
    assert problem.level is Level.REFUSED


@pytest.mark.parametrize("bad", [*RULES, *SCHEMA, *OPERATOR], ids=str)
def test_one_fault_is_told_once(bad: Bad) -> None:
    assert len(refused(bad.manifest)) == 1


@pytest.mark.parametrize(
    ("spec", "field", "remedy"),
    [
        ({"traffic": {"timeuot": "5s"}}, "spec.traffic.timeuot", "did you mean timeout?"),
        ({"traffic": {"circuit_breaker": {}}}, "spec.traffic.circuit_breaker", "did you mean circuitBreaker?"),
        ({"timeout": "5s"}, "spec.timeout", "spec.traffic.timeout"),
        ({"xyzzy": 1}, "spec.xyzzy", "kubectl explain ms.spec"),
        ({"traffic": {"retries": {True: ["5xx"]}}}, "spec.traffic.retries.true", "retryOn"),
        ({"rollout": {"strategy": "Canary"}}, "spec.rollout.strategy", "did you mean canary?"),
        ({"env": {"PORT": 8080}}, "spec.env.PORT", 'put it in quotes: "8080"'),
        ({"env": {"DEBUG": True}}, "spec.env.DEBUG", 'put it in quotes: "true"'),
        ({"env": {False: "x"}}, "spec.env.false", "put it in quotes"),
        ({"replicas": "2"}, "spec.replicas", "without quotes"),
        ({"traffic": {"timeout": 5}}, "spec.traffic.timeout", "write it like 250ms, 5s, 2m or 1h"),
        ({"migrate": {"timeout": "1m"}}, "spec.migrate.command", "run in the revision's image and environment"),
    ],
)
def test_the_remedy_is_the_one_a_user_needs(spec: dict[str, Any], field: str, remedy: str) -> None:
    (problem,) = refused(a_manifest(**spec))
    assert problem.field == field
    assert remedy in problem.remedy


def test_a_wrong_version_or_an_object_without_a_name_is_refused() -> None:
    assert [p.field for p in refused(a_manifest() | {"apiVersion": "seatrial.dev/v2"})] == ["apiVersion"]
    assert [p.field for p in refused(a_manifest() | {"metadata": {}})] == ["metadata.name"]
    assert [p.field for p in refused({"kind": "MeshService", "metadata": {"name": "a"}})] == ["spec"]


def test_an_empty_field_is_one_that_isnt_there() -> None:
    service = accept(a_manifest(traffic={"circuitBreaker": None, "timeout": None}, env={"A": None}))
    assert isinstance(service, MeshService)
    assert service.spec == MeshService.parse(a_manifest()).spec


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.booleans(), inner, max_size=3),
    max_leaves=8,
)


def nonsense(part: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Objects with the schema's own field names and anything at all as their values."""
    fields = part.get("properties")
    if fields:
        return JSON | st.fixed_dictionaries({}, optional={name: nonsense(child) for name, child in fields.items()})
    if "items" in part:
        return JSON | st.lists(nonsense(part["items"]), max_size=2)
    return JSON | st.sampled_from(part.get("enum", ["5s", "/a", "orders", "1"]))


@given(nonsense(schema(MESHSERVICES)["properties"]["spec"]))
def test_nothing_at_all_makes_it_stumble(spec: Any) -> None:
    read = accept({**a_manifest(), "spec": spec})
    for problem in read if isinstance(read, list) else ():
        assert problem.sentence
        assert problem.remedy
