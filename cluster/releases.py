"""Our Helm releases: installed when their content changed, and waited for until they serve.

The content is kept as the release's description, where `helm history` shows it; there is no state of our own.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.cache import content_key
from cluster.commands import Failure, Progress, command, probe, telling_line
from cluster.host import CONTEXT
from cluster.kubectl import ask, kubectl
from cluster.steps import Step

_HELM = ("helm", "--kube-context", CONTEXT)
_TROUBLE = {"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "CrashLoopBackOff", "CreateContainerConfigError"}


@dataclass(frozen=True)
class Release:
    """A chart of ours with the values that differ from its own."""

    name: str
    namespace: str
    chart: Path
    values: tuple[tuple[str, str], ...]

    @property
    def content(self) -> str:
        """Name what is installed."""
        return f"content {content_key(self.chart, *(part for value in self.values for part in value))}"


def release_step(release: Release) -> Step:
    """Install or upgrade a release unless just this content is deployed."""
    return Step(
        f"Install the release {release.name}",
        lambda progress: upgrade(release, progress),
        lambda: is_deployed(probe(_status(release)) or "", release.content),
    )


def upgrade(release: Release, progress: Progress) -> None:
    """Run `helm upgrade --install`; what an interrupted run left pending is rolled over.

    On this cluster the charts have the last word: what was applied by hand to an object of theirs gives way.
    """
    status = _info(probe(_status(release)) or "")
    if str(status.get("status", "")).startswith("pending"):
        progress.say("an earlier install was interrupted: its record is removed first")
        _drop_pending(release)
    argv: list[str | Path] = [*_HELM, "upgrade", "--install", release.name, release.chart, "-n", release.namespace]
    for key, value in release.values:
        argv += ["--set-string", f"{key}={value}"]
    command([*argv, "--force-conflicts", "--description", release.content], progress=progress)


def _drop_pending(release: Release) -> None:
    selector = f"owner=helm,name={release.name},status in (pending-install,pending-upgrade,pending-rollback)"
    kubectl("--namespace", release.namespace, "delete", "secret", "--selector", selector)


def _status(release: Release) -> list[str]:
    return [*_HELM, "status", release.name, "-n", release.namespace, "-o", "json"]


def is_deployed(status: str, content: str) -> bool:
    """Tell from `helm status -o json` whether just this content is deployed."""
    info = _info(status)
    return info.get("status") == "deployed" and info.get("description") == content


def _info(status: str) -> Mapping[str, Any]:
    answer: dict[str, Any] = json.loads(status or "{}")
    info = answer.get("info")
    return info if isinstance(info, dict) else {}


def ready_step(title: str, namespace: str, kind: str, condition: str, *, within: float = 120) -> Step:
    """Wait until every object of the kind in the namespace has the condition."""
    return Step(
        title,
        lambda progress: await_ready(namespace, kind, condition, progress, within=within),
        lambda: _unready(namespace, kind, condition) is None,
    )


def await_ready(namespace: str, kind: str, condition: str, progress: Progress, *, within: float) -> None:
    """Poll until all are ready; raises `Failure` that names the first that isn't, and why its pods don't run."""
    deadline = time.monotonic() + within
    while (missing := _unready(namespace, kind, condition)) is not None:
        told = missing or f"no {kind} is there yet"
        progress.tail(told)
        if time.monotonic() > deadline:
            raise _why(namespace, kind, f"not ready within {within:g} s: {told}")
        time.sleep(0.5)


def _why(namespace: str, kind: str, told: str) -> Failure:
    trouble = pod_trouble(ask("--namespace", namespace, "get", "pods", "--output=json") or "{}")
    if trouble is None:
        return Failure(told, f"kubectl -n {namespace} describe {kind}")
    if trouble.reason != "CrashLoopBackOff":
        return Failure(f"pod {trouble.pod}: {trouble}", f"kubectl -n {namespace} describe pod {trouble.pod}")
    asked = ["logs", trouble.pod, "--container", trouble.container, "--previous"]
    said = telling_line((ask("--namespace", namespace, *asked, "--tail=50") or "").splitlines())
    return Failure(f"pod {trouble.pod} ends as soon as it starts: {said}", f"kubectl -n {namespace} {' '.join(asked)}")


def _unready(namespace: str, kind: str, condition: str) -> str | None:
    listing = ask("--namespace", namespace, "get", kind, "--output=json")
    return first_unready(listing or "{}", condition)


def first_unready(listing: str, condition: str) -> str | None:
    """Name the first object without the condition, and why; empty when there is no object, None when all have it."""
    items = json.loads(listing).get("items", [])
    if not items:
        return ""
    told = ((item["metadata"]["name"], _lack(item, condition)) for item in items)
    return next((f"{name}: {lack}" for name, lack in told if lack), None)


def _lack(item: Mapping[str, Any], condition: str) -> str:
    status = item.get("status") or {}
    if status.get("observedGeneration", 0) < item["metadata"].get("generation", 0):
        return "its last change has not been seen yet"
    found = {known["type"]: known for known in status.get("conditions") or []}.get(condition, {})
    if found.get("status") != "True":
        return str(found.get("message") or f"{condition} is not true")
    if item.get("kind") == "Deployment":  # available it is all the time that its pods are being replaced
        wanted, new = item["spec"].get("replicas", 1), status.get("updatedReplicas", 0)
        if new < wanted or status.get("replicas", 0) > new or status.get("availableReplicas", 0) < wanted:
            return f"{new} of {wanted} pods are new"
    if item.get("kind") == "MeshService" and (new := status.get("canaryRevision")) is not None:  # likewise
        return f"revision {new} is on its way"
    return ""


@dataclass(frozen=True)
class Trouble:
    """Why a pod doesn't run."""

    pod: str
    container: str
    reason: str
    message: str = ""

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}" if self.message else self.reason


def pod_trouble(listing: str) -> Trouble | None:
    """Find a pod that doesn't run in `kubectl get pods -o json`; the newest first, as older ones may be leaving."""
    pods = json.loads(listing).get("items", [])
    for pod in sorted(pods, key=lambda pod: pod["metadata"].get("creationTimestamp", ""), reverse=True):
        name, status = pod["metadata"]["name"], pod.get("status", {})
        for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in _TROUBLE:
                return Trouble(name, container["name"], waiting["reason"], waiting.get("message", ""))
        for condition in status.get("conditions", []):
            if condition.get("reason") == "Unschedulable":
                return Trouble(name, "", "Unschedulable", condition.get("message", ""))
    return None
