"""The alerts: Prometheus takes them, each fires when it should, is about metrics that exist, and has a page."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from seatrial.control import gauges, looks, telemetry
from support.prometheus import program

ROOT = Path(__file__).parents[3]
CHARTS = {"seatrial": "alerts_test.yaml", "shop": "shop_alerts_test.yaml"}


def rules_of(chart: str) -> Path:
    return ROOT / "charts" / chart / "files" / "alerts.yaml"


def cases_of(chart: str) -> Path:
    return Path(__file__).parent / CHARTS[chart]


def alerts_of(chart: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load(rules_of(chart).read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = [rule for chart in CHARTS for rule in alerts_of(chart)]
NAMES = [rule["alert"] for rule in ALERTS]


def promtool(*args: str | Path) -> str:
    done = subprocess.run([program("promtool"), *args], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.mark.parametrize("chart", CHARTS)
def test_prometheus_takes_them(chart: str) -> None:
    assert f"SUCCESS: {len(alerts_of(chart))} rules found" in promtool("check", "rules", rules_of(chart))


@pytest.mark.parametrize("chart", CHARTS)
def test_each_fires_on_what_it_is_for_and_not_on_what_is_almost_that(chart: str) -> None:
    assert "SUCCESS" in promtool("test", "rules", cases_of(chart))


def test_none_is_untested() -> None:
    cases = [case for chart in CHARTS for case in yaml.safe_load(cases_of(chart).read_text(encoding="utf-8"))["tests"]]
    checks = [check for case in cases for check in case["alert_rule_test"]]
    assert {c["alertname"] for c in checks if c.get("exp_alerts")} == set(NAMES)
    assert len(set(NAMES)) == len(NAMES)


def test_they_are_about_metrics_that_the_operator_has() -> None:
    values = (value for module in (gauges, looks, telemetry) for value in vars(module).values())
    known = {told.name for metric in values if isinstance(metric, MetricWrapperBase) for told in metric.describe()}
    asked = {name for rule in alerts_of("seatrial") for name in re.findall(r"seatrial_\w+", rule["expr"])}
    assert {re.sub(r"_(total|count)$", "", name) for name in asked} <= known


def test_those_of_the_shop_are_about_metrics_that_its_services_have() -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "services").rglob("*.py"))
    asked = {name for rule in alerts_of("shop") for name in re.findall(r"(\w+)(?=[{\[)])", rule["expr"])}
    metrics = {re.sub(r"_total$", "", name) for name in asked - {"namespace", "service", "consumer", "breaker"}}
    shared = {"outbox_age_seconds", "dead_letters", "consumer_lag", "breaker_state"}
    assert metrics == shared | {"orders_sagas", "payments_ambassador_up"}
    for name in metrics:
        assert f'"{name}"' in code, f"no service has a metric {name}"


@pytest.mark.parametrize("rule", ALERTS, ids=NAMES)
def test_each_has_a_page_that_says_what_to_look_at_and_what_to_do(rule: dict[str, Any]) -> None:
    page = (ROOT / rule["annotations"]["runbook"]).read_text(encoding="utf-8")
    assert page.startswith(f"# {rule['alert']}\n")
    assert "\n## Look\n" in page
    assert "\n## Do\n" in page


def test_no_page_is_of_an_alert_that_is_gone() -> None:
    pages = {page.stem for page in (ROOT / "docs" / "runbooks").glob("*.md")} - {"README"}
    assert pages == set(NAMES)
