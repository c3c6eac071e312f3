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
RULES = ROOT / "charts" / "seatrial" / "files" / "alerts.yaml"
CASES = Path(__file__).parent / "alerts_test.yaml"
ALERTS: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]
]
NAMES = [rule["alert"] for rule in ALERTS]


def promtool(*args: str | Path) -> str:
    done = subprocess.run([program("promtool"), *args], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_prometheus_takes_them() -> None:
    assert f"SUCCESS: {len(ALERTS)} rules found" in promtool("check", "rules", RULES)


def test_each_fires_on_what_it_is_for_and_not_on_what_is_almost_that() -> None:
    assert "SUCCESS" in promtool("test", "rules", CASES)


def test_none_is_untested() -> None:
    cases = yaml.safe_load(CASES.read_text(encoding="utf-8"))["tests"]
    checks = [check for case in cases for check in case["alert_rule_test"]]
    assert {c["alertname"] for c in checks if c.get("exp_alerts")} == set(NAMES)
    assert len(set(NAMES)) == len(NAMES)


def test_they_are_about_metrics_that_the_operator_has() -> None:
    values = (value for module in (gauges, looks, telemetry) for value in vars(module).values())
    known = {told.name for metric in values if isinstance(metric, MetricWrapperBase) for told in metric.describe()}
    asked = {name for rule in ALERTS for name in re.findall(r"seatrial_\w+", rule["expr"])}
    assert {re.sub(r"_(total|count)$", "", name) for name in asked} <= known


@pytest.mark.parametrize("rule", ALERTS, ids=NAMES)
def test_each_has_a_page_that_says_what_to_look_at_and_what_to_do(rule: dict[str, Any]) -> None:
    page = (ROOT / rule["annotations"]["runbook"]).read_text(encoding="utf-8")
    assert page.startswith(f"# {rule['alert']}\n")
    assert "\n## Look\n" in page
    assert "\n## Do\n" in page


def test_no_page_is_of_an_alert_that_is_gone() -> None:
    pages = {page.stem for page in (ROOT / "docs" / "runbooks").glob("*.md")} - {"README"}
    assert pages == set(NAMES)
