"""The shop's chart says what the services need, and says it consistently."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from seatrial.api.base import seconds
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
    assert shop.keys() == {"gateway", "orders", "catalog"}
    calls = {(name, call.service) for name, one in shop.items() for call in one.spec.security.calls}
    callers = {(caller.service, name) for name, one in shop.items() for caller in one.spec.security.callers}
    assert calls == {("gateway", "orders"), ("gateway", "catalog"), ("orders", "catalog")}
    assert callers == calls | {(None, "gateway")}, "the ingress gateway calls the gateway alone"


@pytest.mark.parametrize(("outer", "inner"), [("gateway", "orders"), ("orders", "catalog")])
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


def test_all_pods_of_orders_have_one_key() -> None:
    [secret] = [one for one in rendered() if one["kind"] == "Secret"]
    [source] = services()["orders"].spec.env_from
    assert source.secret_ref
    assert source.secret_ref.name == secret["metadata"]["name"]
    assert "REFERENCE_KEY" in secret["data"]
    assert not [one for one in rendered("referenceKey.existingSecret=mine") if one["kind"] == "Secret"]
    [source] = services("referenceKey.existingSecret=mine")["orders"].spec.env_from
    assert source.secret_ref
    assert source.secret_ref.name == "mine"


def test_a_collector_is_called_and_told_of() -> None:
    for service in services("collector.name=otel", "collector.namespace=seen").values():
        assert service.spec.env["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://otel.seen:4318"
        assert ("otel", "seen") in {(call.service, call.namespace) for call in service.spec.security.calls}


def test_settings_of_a_service_reach_it() -> None:
    orders = services("orders.env.LOG_LEVEL=debug", "orders.rollout.steps={10,50}", "orders.replicas=3")["orders"]
    assert orders.spec.env["LOG_LEVEL"] == "debug"
    assert orders.spec.rollout.steps == [10, 50]
    assert orders.spec.replicas == 3
    scaled = services("orders.autoscaling.max=5")["orders"]
    assert scaled.spec.autoscaling
    assert scaled.spec.autoscaling.max == 5


@pytest.mark.parametrize("value", ["gatway.replicas=1", "orders.replicas=-1", "faults=maybe", "image.tag=a b"])
def test_a_wrong_value_is_refused(value: str) -> None:
    assert helm("template", "shop", str(CHART), "--set", value).returncode != 0
