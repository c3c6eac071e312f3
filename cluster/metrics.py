"""metrics-server: what autoscalers and `kubectl top` ask.

It takes a while to have something to say, so it is begun early and waited for late.
"""

import json
from pathlib import Path

from cluster.commands import Progress, await_true
from cluster.kubectl import ask, kubectl
from cluster.steps import Step

MANIFEST = Path(__file__).parent / "manifests" / "metrics-server.yaml"


def metrics_steps() -> list[Step]:
    """Give the step that ends when pods are measured."""
    return [Step("Metrics of pods", _await, _has_metrics)]


def begin_metrics() -> None:
    """Apply the manifest and don't wait."""
    kubectl("apply", "--server-side", "--force-conflicts", f"--filename={MANIFEST}")


def _await(progress: Progress) -> None:
    begin_metrics()
    await_true(_has_metrics, "metrics-server was not ready", "kubectl -n kube-system logs deploy/metrics-server")
    progress.say("kubectl top works from now on")


def _has_metrics() -> bool:
    answer = ask("get", "apiservice", "v1beta1.metrics.k8s.io", "--output=json")
    conditions = json.loads(answer)["status"].get("conditions", []) if answer else []
    return any(condition["type"] == "Available" and condition["status"] == "True" for condition in conditions)
