"""The shop's chart says what the services need, and says it consistently."""

import os
import re
import shutil
import subprocess
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
import yaml

from seatrial.api.base import seconds
from seatrial.api.lint import lint
from seatrial.api.meshservice import MeshService

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "shop"
HELM = shutil.which("helm", path=os.pathsep.join([str(ROOT / "bin"), os.environ["PATH"]]))

pytestmark = pytest.mark.skipif(HELM is None, reason="helm isn't here before the first `make cluster-up`")


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert HELM
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, check=False, timeout=60)


def rendered(*values: str) -> list[dict[str, Any]]:
    sets = [part for value in values for part in ("--set", value)]
    result = helm("template", "shop", str(CHART), "-n", "shop", *sets)
    assert result.returncode == 0, result.stderr
    return [document for document in yaml.safe_load_all(result.stdout) if document]


def services(*values: str) -> dict[str, MeshService]:
    found = [MeshService.parse(one) for one in rendered(*values) if one["kind"] == "MeshService"]
    return {service.metadata.name: service for service in found}


@pytest.mark.parametrize("values", [(), ("faults=enabled", "collector.name=otel"), ("image.tag=abc", "host=a.example")])
def test_it_lints(values: tuple[str, ...]) -> None:
    sets = [part for value in values for part in ("--set", value)]
    result = helm("lint", "--strict", str(CHART), *sets)
    assert result.returncode == 0, result.stdout


def test_each_call_is_allowed_by_the_one_who_is_called() -> None:
    shop = services()
    inside = {"gateway", "orders", "catalog", "inventory", "payments", "shipping", "notifications"}
    assert shop.keys() == inside | {"bank"}
    calls = {(name, call.service) for name, one in shop.items() for call in one.spec.security.calls}
    callers = {(caller.service, name) for name, one in shop.items() for caller in one.spec.security.callers}
    calls = {(caller, called) for caller, called in calls if called in shop}
    assert {called for caller, called in calls if caller == "orders"} == {
        "catalog",
        "inventory",
        "payments",
        "shipping",
    }
    assert callers == calls | {(None, "gateway")}, "the ingress gateway calls the gateway alone"
    assert [caller for caller, called in calls if called == "bank"] == ["payments"]


@pytest.mark.parametrize(("outer", "inner"), [("gateway", "orders"), ("gateway", "shipping"), ("orders", "catalog")])
def test_one_try_has_time_for_a_whole_call_behind_it(outer: str, inner: str) -> None:
    shop = services()
    for name in (outer, inner):
        traffic = shop[name].spec.traffic
        assert traffic.retries.per_try_timeout
        tries = 1 + traffic.retries.attempts
        assert seconds(traffic.timeout) >= tries * seconds(traffic.retries.per_try_timeout)
    per_try = shop[outer].spec.traffic.retries.per_try_timeout
    assert per_try
    assert seconds(per_try) > seconds(shop[inner].spec.traffic.timeout)


@pytest.mark.parametrize("name", ["orders", "inventory"])
def test_what_writes_is_not_asked_again_while_it_is_under_way(name: str) -> None:
    [route] = services()[name].spec.traffic.routes
    assert route.idempotent
    assert route.retries
    assert (route.retries.attempts, route.retries.per_try_timeout) == (1, None)


def of_kind(kind: str, *values: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in rendered(*values) if one["kind"] == kind}


def secrets_of(name: str, *values: str) -> set[str]:
    return {source.secret_ref.name for source in services(*values)[name].spec.env_from if source.secret_ref}


@pytest.mark.parametrize("name", ["orders", "inventory", "payments", "shipping", "notifications", "bank"])
def test_a_service_with_data_has_its_own_database_and_no_other_and_migrates_it(name: str) -> None:
    assert f"{name}-database" in secrets_of(name)
    assert not [one for one in secrets_of(name) - {f"{name}-database"} if one.endswith("-database")]
    migrate = services()[name].spec.migrate
    assert migrate
    assert list(migrate.command) == ["python", "-m", "chassis", "migrate", name]
    address = of_kind("Secret")[f"{name}-database"]["stringData"]["DATABASE_URL"]
    assert re.fullmatch(rf"postgresql\+asyncpg://{name}:\w+@postgres:5432/{name}", address)


def test_only_the_ambassador_and_the_bank_know_the_bank_s_credentials() -> None:
    knowing = {name for name in services() if "bank-credentials" in secrets_of(name)}
    assert knowing == {"bank"}
    [ambassador] = [
        container
        for container in services()["payments"].spec.pod_template.spec["containers"]
        if container["name"] == "ambassador"
    ]
    assert ambassador["envFrom"] == [{"secretRef": {"name": "bank-credentials"}}]


def test_each_role_of_the_database_has_a_password_of_its_own() -> None:
    secrets = {name: one["stringData"] for name, one in of_kind("Secret").items() if name.endswith("-database")}
    passwords = {one["PASSWORD"] for one in secrets.values()}
    assert len(passwords) == len(secrets) > 1
    assert min(map(len, passwords)) >= 32
    mounted = of_kind("StatefulSet")["postgres"]["spec"]["template"]["spec"]["volumes"]
    [roles] = [volume["projected"]["sources"] for volume in mounted if volume["name"] == "roles"]
    assert {role["secret"]["name"] for role in roles} == set(secrets), "Postgres makes these roles and no others"
    assert not [name for name in of_kind("Secret", "passwords.create=false") if name.endswith("-database")]


def test_what_is_secret_stands_in_secrets_alone() -> None:
    objects = rendered()
    kept = [one for one in objects if one["kind"] == "Secret"]
    values = {value for one in kept for value in one.get("stringData", {}).values()}
    values |= {b64decode(one["data"]["BANK_SECRET"]).decode() for one in kept if "data" in one}
    assert min(map(len, values)) >= 32
    told = yaml.safe_dump([one for one in objects if one["kind"] != "Secret"], width=10**6)
    assert [value for value in values if value in told] == []


def test_what_answers_requests_has_two_replicas_and_the_foreign_bank_has_one() -> None:
    replicas = {name: service.spec.replicas for name, service in services().items()}
    assert replicas.pop("bank") == 1
    assert set(replicas.values()) == {2}


@pytest.mark.parametrize(("keeper", "port"), [("postgres", "5432"), ("nats", "4222"), ("valkey", "6379")])
def test_a_data_service_lets_in_those_who_call_it_and_nobody_else(keeper: str, port: str) -> None:
    policy = of_kind("AuthorizationPolicy", "valkey.callers={catalog}")[keeper]["spec"]
    [rule] = policy["rules"]
    callers = {principal.rpartition("/")[2] for principal in rule["from"][0]["source"]["principals"]}
    calling = {name for name, one in services().items() if keeper in {call.service for call in one.spec.security.calls}}
    assert calling <= callers <= {*calling, "catalog"}
    assert rule["to"] == [{"operation": {"ports": [port]}}]
    assert "rules" not in of_kind("AuthorizationPolicy")["valkey"]["spec"], "nobody needs it yet"


@pytest.mark.parametrize("keeper", ["postgres", "nats", "valkey"])
def test_a_data_service_has_no_more_rights_than_a_restricted_pod(keeper: str) -> None:
    found = {**of_kind("StatefulSet"), **of_kind("Deployment")}[keeper]["spec"]["template"]["spec"]
    assert found["securityContext"]["runAsNonRoot"] is True
    assert found["automountServiceAccountToken"] is False
    [container] = found["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    [port] = of_kind("Service")[keeper]["spec"]["ports"]
    assert port["appProtocol"] == "tcp", "its server speaks first, or nobody looks for HTTP in it"


def test_a_collector_is_called_and_told_of() -> None:
    for service in services("collector.name=otel", "collector.namespace=seen").values():
        assert service.spec.env["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://otel.seen:4318"
        assert ("otel", "seen") in {(call.service, call.namespace) for call in service.spec.security.calls}
        # A process that isn't told hands on spans that nobody ever gets to see.
        for container in service.spec.pod_template.spec["containers"]:
            told = {one["name"]: one.get("value") for one in container.get("env", ())}
            assert container["name"] == "app" or told["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://otel.seen:4318"


def test_settings_of_a_service_reach_it() -> None:
    orders = services("orders.env.LOG_LEVEL=debug", "orders.rollout.steps={10,50}", "orders.replicas=3")["orders"]
    assert orders.spec.env["LOG_LEVEL"] == "debug"
    assert orders.spec.rollout.steps == [10, 50]
    assert orders.spec.replicas == 3
    scaled = services("orders.autoscaling.max=5")["orders"]
    assert scaled.spec.autoscaling
    assert scaled.spec.autoscaling.max == 5


def test_it_gives_no_reason_for_advice() -> None:
    assert [str(problem) for problem in lint(rendered(), namespace="shop")] == []


def test_the_ambassador_has_probes_at_the_port_that_it_opens_for_them() -> None:
    [ambassador] = [
        container
        for container in services()["payments"].spec.pod_template.spec["containers"]
        if container["name"] == "ambassador"
    ]
    [port] = [one["value"] for one in ambassador["env"] if one["name"] == "PLATFORM_PORT"]
    probes = {name: ambassador[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
    assert {probe["port"] for probe in probes.values()} == {int(port)}
    assert probes["readiness"]["path"] == "/readyz"
    assert probes["startup"]["path"] == probes["liveness"]["path"] == "/livez"


@pytest.mark.parametrize("value", ["gatway.replicas=1", "orders.replicas=-1", "faults=maybe", "image.tag=a b"])
def test_a_wrong_value_is_refused(value: str) -> None:
    assert helm("template", "shop", str(CHART), "--set", value).returncode != 0
