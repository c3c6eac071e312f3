"""What the API server takes and refuses: the CRDs on a real one, beside the offline check, case by case."""

import json
from typing import Any

import pytest

from support.kubectl import CONTEXT, Kubectl
from support.looking import looks
from support.manifests import OPERATOR, RULES, SCHEMA, Bad, a_manifest

KUBECTL = Kubectl(namespace="default")


def refusal(manifest: dict[str, Any]) -> str:
    """What the API server says of it; empty where it would take it."""
    return looks(CONTEXT).refusal(manifest, KUBECTL.namespace)


def admitted(manifest: dict[str, Any]) -> dict[str, Any]:
    """The object as the API server would store it; nothing is stored."""
    answer: dict[str, Any] = json.loads(
        KUBECTL("create", "--dry-run=server", "-o", "json", "-f", "-", input=json.dumps(manifest))
    )
    return answer


@pytest.mark.parametrize("bad", [*RULES, *SCHEMA], ids=str)
def test_the_api_server_refuses_what_the_offline_check_refuses(bad: Bad) -> None:
    said = refusal(bad.manifest)
    assert said, "it was taken"
    assert bad.field in said or bad.field.startswith("metadata"), said


@pytest.mark.parametrize("bad", RULES, ids=str)
def test_a_broken_rule_is_told_with_its_value_and_its_remedy(bad: Bad) -> None:
    assert bad.says in refusal(bad.manifest)


@pytest.mark.parametrize("bad", OPERATOR, ids=str)
def test_what_only_the_operator_sees_gets_in_and_is_told_in_the_status(bad: Bad) -> None:
    assert not refusal(bad.manifest | {"metadata": {"name": "orders"}})


def test_defaults_arrive() -> None:
    spec = admitted(a_manifest())["spec"]
    assert spec["replicas"] == 1
    assert spec["traffic"]["timeout"] == "15s"
    assert spec["traffic"]["retries"] == {
        "attempts": 2,
        "retryOn": ["connect-failure", "refused-stream", "unavailable", "gateway-error"],
    }
    assert spec["rollout"]["steps"] == [5, 25, 50]
    assert spec["shutdown"] == {"drain": "30s", "grace": "45s"}
    assert "autoscaling" not in spec


def test_explain_reads_well() -> None:
    told = KUBECTL("explain", "ms.spec.traffic.retries")
    assert "attempts\t<integer>" in told
    assert "Retries after the first try; 0 switches them off." in told
    assert "default" not in KUBECTL("explain", "ms.spec.autoscaling.max")
