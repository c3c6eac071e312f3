"""The operator's chart: what it renders is what was agreed on, with no right too many and no pod less than restricted.

What changed on purpose is read first, then `UPDATE_GOLDEN=1 pytest tests/unit/charts` writes the reviewed files anew.
"""

import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from seatrial.api import crd
from seatrial.evidence.prometheus import ADDRESSES, allowed_addresses
from seatrial.kube import kinds

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "seatrial"
GOLDEN = Path(__file__).parent / "golden"
CASES = {
    "default": [],
    "two-operators": ["replicas=2", "janitor.enabled=false", "logLevel=debug", "otlpEndpoint=http://collector:4318"],
    "pinned": ["image.tag=sha256:0f", "image.pullSecrets[0].name=pull", "userRoles=false", "nodeSelector.disk=fast"],
    "watched": [
        "alerts.enabled=true",
        "alerts.labels.release=monitoring",
        "prometheus.addresses={http://a:9090,https://b/c}",
    ],
}
RULES_OF_PODS = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}

Json = dict[str, Any]


def helm(*args: str) -> str:
    found = shutil.which("helm", path=f"{ROOT / 'bin'}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.skip("there is no helm: `make cluster-up` builds one into ./bin")
    done = subprocess.run([found, *args], capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(done.stderr + done.stdout)
    return done.stdout


@cache
def rendered(*values: str, namespace: str = "seatrial-system") -> str:
    settings = [part for value in values for part in ("--set", value)]
    return helm("template", "seatrial", str(CHART), "-n", namespace, *settings)


def objects(*values: str) -> list[Json]:
    return [o for o in yaml.safe_load_all(rendered(*values)) if o]


def of_kind(kind: str, found: list[Json]) -> dict[str, Json]:
    return {o["metadata"]["name"]: o for o in found if o["kind"] == kind}


def pod_specs(found: list[Json]) -> Iterator[tuple[str, Json]]:
    for obj in found:
        name = f"{obj['kind']}/{obj['metadata']['name']}"
        if obj["kind"] == "Pod":
            yield name, obj["spec"]
        elif "template" in obj.get("spec", {}):
            yield name, obj["spec"]["template"]["spec"]


def rights(role: Json) -> set[tuple[str, str]]:
    """Resource and verb."""
    return {(r, v) for rule in role["rules"] for r in rule["resources"] for v in rule["verbs"]}


@pytest.mark.parametrize("case", CASES)
def test_it_renders_what_was_reviewed(case: str) -> None:
    now = rendered("crds.enabled=false", *CASES[case])
    golden = GOLDEN / f"{case}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(now, encoding="utf-8")
    assert now == golden.read_text(encoding="utf-8"), "read what changed, then write it with UPDATE_GOLDEN=1"


def test_helm_lint_has_nothing_to_say() -> None:
    assert "1 chart(s) linted, 0 chart(s) failed" in helm("lint", "--strict", str(CHART), "-n", "seatrial-system")


def test_the_definitions_are_upgraded_with_it_and_never_deleted() -> None:
    found = of_kind("CustomResourceDefinition", objects())
    assert found == {f"{r.plural}.seatrial.dev": crd.crd(r) for r in crd.RESOURCES}
    assert not (CHART / "crds").exists(), "Helm never upgrades a folder crds/"
    assert of_kind("CustomResourceDefinition", objects("crds.enabled=false")) == {}


def test_no_right_is_a_wildcard_and_none_is_on_secrets_or_exec() -> None:
    found = objects()
    for role in (*of_kind("ClusterRole", found).values(), *of_kind("Role", found).values()):
        for rule in role["rules"]:
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
        assert not {r for r, _ in rights(role)} & {"secrets", "pods/exec", "pods/proxy", "pods/eviction", "nodes"}


def test_in_the_whole_cluster_only_statuses_and_finalizers_of_its_own_and_events_are_written() -> None:
    operator = of_kind("ClusterRole", objects())["seatrial-operator"]
    writes = {(resource, verb) for resource, verb in rights(operator) if verb not in {"get", "list", "watch"}}
    assert {resource for resource, _ in writes} == {"meshservices/status", "events", "meshservices"}
    assert {verb for resource, verb in writes if resource == "meshservices"} == {"patch"}


def test_it_may_read_all_it_watches_and_write_all_it_makes() -> None:
    roles = of_kind("ClusterRole", objects())
    may_read, may_write = rights(roles["seatrial-operator"]), rights(roles["seatrial-namespace"])
    for kind in kinds.ALL:
        if kind not in {kinds.EVENT, kinds.ROLE_BINDING}:
            assert {(kind.plural, verb) for verb in ("get", "list", "watch")} <= may_read, kind.name
    for kind in (*kinds.OWNED, kinds.REVISION, kinds.CONFIG_MAP):
        assert {(kind.plural, verb) for verb in ("create", "patch", "delete")} <= may_write, kind.name
    assert {r for r, _ in may_write} & {"namespaces", "customresourcedefinitions"} == set()
    assert {verb for resource, verb in may_write if resource == "pods"} == {"patch"}


@pytest.mark.parametrize("case", CASES)
def test_every_pod_keeps_to_restricted_with_a_root_that_cant_be_written(case: str) -> None:
    pods = dict(pod_specs(objects(*CASES[case])))
    assert {"Deployment/seatrial-operator", "Job/seatrial-release", "Pod/seatrial-test"} <= set(pods)
    for name, spec in pods.items():
        assert RULES_OF_PODS.items() <= spec["securityContext"].items(), name
        for container in spec["containers"]:
            limits = container["securityContext"]
            assert limits["readOnlyRootFilesystem"] is True, name
            assert limits["allowPrivilegeEscalation"] is False, name
            assert limits["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["requests"] == {"cpu": "20m", "memory": "128Mi"}, name


@pytest.mark.parametrize("kind", ["PrometheusRule", "ConfigMap"])
def test_alerts_are_there_when_asked_for_as_they_were_checked(kind: str) -> None:
    assert not [o for o in objects() if o["metadata"]["name"] == "seatrial-alerts"]
    found = of_kind(kind, objects("alerts.enabled=true", f"alerts.kind={kind}", "alerts.labels.role=rules"))[
        "seatrial-alerts"
    ]
    rules = found["spec"] if kind == "PrometheusRule" else yaml.safe_load(found["data"]["seatrial-alerts.yaml"])
    assert rules == yaml.safe_load((CHART / "files" / "alerts.yaml").read_text(encoding="utf-8"))
    assert found["metadata"]["labels"]["role"] == "rules"


def test_the_operator_gets_the_addresses_that_it_may_ask() -> None:
    (container,) = dict(pod_specs(objects(*CASES["watched"])))["Deployment/seatrial-operator"]["containers"]
    (variable,) = [e for e in container["env"] if e["name"] == ADDRESSES]
    assert allowed_addresses({ADDRESSES: variable["value"]}) == {"http://a:9090", "https://b/c"}
    (container,) = dict(pod_specs(objects()))["Deployment/seatrial-operator"]["containers"]
    assert not [e for e in container["env"] if e["name"] == ADDRESSES]


def test_istiod_is_asked_with_a_token_of_its_audience() -> None:
    for name, spec in pod_specs(objects()):
        (token,) = [v["projected"] for v in spec["volumes"] if v["name"] == "istio-token"]
        assert token["sources"][0]["serviceAccountToken"]["audience"] == "istio-ca", name


def test_hooks_bring_weights_back_before_an_uninstall() -> None:
    job = of_kind("Job", objects())["seatrial-release"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete"
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["release"]


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("replica=2", "replica"),
        ("replicas=0", "minimum"),
        ("logLevel=loud", "logLevel"),
        ("image.tag=", "minLength"),
        ("otlpEndpoint=collector", "otlpEndpoint"),
        ("prometheus.addresses={prometheus:9090}", "addresses"),
        ("prometheus.addresses={http://user:word@prometheus}", "addresses"),
        ("prometheus.addresses={http://a http://b}", "addresses"),
        ("alerts.kind=Secret", "kind"),
    ],
)
def test_values_that_are_wrong_are_refused(setting: str, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        rendered(setting)


def test_another_namespace_is_refused_with_the_reason() -> None:
    with pytest.raises(AssertionError, match="seatrial-system only"):
        rendered(namespace="default")


def test_the_chart_has_the_version_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["version"] == chart["appVersion"] == project["version"]
