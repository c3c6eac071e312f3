"""What the pods of a revision have, and what keeps them from being ready, in one sentence with its remedy."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from seatrial.api.names import LABEL_REVISION
from seatrial.rollout.world import Migration, Pods, PodShare

Object = Mapping[str, Any]

_PULL = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"})
_START = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_MISSING = re.compile(r'(secret|configmap) "([^"]+)" not found', re.IGNORECASE)
_PROXY = "istio-proxy"


def pods_by_revision(deployments: Iterable[Object], pods: Iterable[Object]) -> dict[int, Pods]:
    """Of every revision that has a Deployment."""
    by_revision: dict[int, list[Object]] = {}
    for pod in pods:
        number = revision_of(pod)
        if number is not None and not pod["metadata"].get("deletionTimestamp"):
            by_revision.setdefault(number, []).append(pod)
    found = {}
    for deployment in deployments:
        number = revision_of(deployment)
        if number is None:
            continue
        wanted = deployment["spec"].get("replicas", 1)
        ready = (deployment.get("status") or {}).get("readyReplicas") or 0
        there = by_revision.get(number, ())
        found[number] = Pods(
            wanted=wanted,
            ready=min(ready, wanted),
            problem=problem(there, deployment) if ready < wanted else "",
            restarts=sum(_restarts(pod) for pod in there if not is_ready(pod)),
            waiting_since=_waiting_since(there, deployment) if ready < wanted else "",
        )
    return found


def untold(pods: Iterable[Object], shares: Mapping[int, PodShare]) -> list[tuple[Object, Mapping[str, str]]]:
    """The pods whose annotations don't say what their revision has now, with those that do.

    A pod that is ending has nothing to begin any more.
    """
    found: list[tuple[Object, Mapping[str, str]]] = []
    for pod in pods:
        meta, share = pod["metadata"], shares.get(revision_of(pod) or 0)
        over = meta.get("deletionTimestamp") or (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}
        if share is not None and not over and not share.annotations.items() <= (meta.get("annotations") or {}).items():
            found.append((pod, share.annotations))
    return found


def revision_of(obj: Object) -> int | None:
    """Number of the revision that an object is labelled with."""
    value = (obj["metadata"].get("labels") or {}).get(LABEL_REVISION, "")
    return int(value) if value.isdigit() else None


def migration_of(job: Object | None) -> Migration | None:
    """How a migration's Job stands; None without one."""
    if job is None:
        return None
    done = {c.get("type") for c in (job.get("status") or {}).get("conditions") or () if c.get("status") == "True"}
    if done & {"Complete", "SuccessCriteriaMet"}:
        return "done"
    return "failed" if done & {"Failed", "FailureTarget"} else "running"


def problem(pods: Iterable[Object], deployment: Object | None = None) -> str:
    """The first thing that keeps a pod from being ready; empty where it is just a matter of time."""
    troubles = [t for pod in pods for t in (*_containers(pod), *_placement(pod))]
    if deployment is not None:
        troubles += _refusals(deployment)
    return min(troubles, default=(0, ""))[1]


def missing_references(pods: Iterable[Object]) -> tuple[str, ...]:
    """Images, Secrets and ConfigMaps that containers wait for; the same sentence at each of the kubelet's tries."""
    found: dict[str, None] = {}
    for pod in pods:
        for container in _statuses(pod):
            if _waiting(container).get("reason") in _PULL:
                image = container.get("image")
                found[f"image {image} can't be pulled: check its name, and that the node may pull it"] = None
            if match := _MISSING.search(_waiting(container).get("message") or ""):
                kind = {"secret": "Secret", "configmap": "ConfigMap"}[match[1].lower()]
                found[f"there is no {kind} {match[2]}: create it, or take the reference out"] = None
    return tuple(found)


def _containers(pod: Object) -> Iterator[tuple[int, str]]:
    name = pod["metadata"]["name"]
    for container in _statuses(pod):
        which = f"container {container['name']} of {name}"
        waiting = _waiting(container)
        reason, message = waiting.get("reason") or "", _first_line(waiting.get("message"))
        if reason in _PULL:
            yield 0, f"image {container.get('image')} can't be pulled ({message or reason}): check its name and access"
        elif reason in _START:
            yield 1, f"{which} can't start: {message or reason}"
        elif reason == "CrashLoopBackOff" or _crashed(container):
            yield 2, f"{which} {_end(container)}: see `kubectl logs {name} -c {container['name']} --previous`"


def _crashed(container: Object) -> bool:
    """Whether it ended at least once, and isn't up again."""
    ended = bool(container.get("restartCount") or (container.get("state") or {}).get("terminated"))
    return ended and not container.get("ready") and container["name"] != _PROXY


def _restarts(pod: Object) -> int:
    return sum(c.get("restartCount") or 0 for c in _statuses(pod) if c["name"] != _PROXY)


def _end(container: Object) -> str:
    last = ((container.get("lastState") or {}).get("terminated")) or ((container.get("state") or {}).get("terminated"))
    times = f"{container.get('restartCount') or 0} restarts"
    if not last:
        return f"crashes ({times})"
    if last.get("reason") == "OOMKilled":
        return f"ran out of memory ({times})"
    return f"ended with exit code {last.get('exitCode')} ({times})"


def _placement(pod: Object) -> Iterator[tuple[int, str]]:
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            yield 3, f"no node takes {pod['metadata']['name']}: {_first_line(condition.get('message'))}"


def _refusals(deployment: Object) -> Iterator[tuple[int, str]]:
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            yield 4, f"pods can't be made: {_first_line(condition.get('message'))}"


def _waiting_since(pods: Iterable[Object], deployment: Object) -> str:
    """Since when the first of the pods isn't ready, or since when they can't be made."""
    since = [at for pod in pods if (at := _unready_since(pod))]
    conditions = (deployment.get("status") or {}).get("conditions") or ()
    refused = [c for c in conditions if c.get("type") == "ReplicaFailure" and c.get("status") == "True"]
    return min([*since, *(c.get("lastTransitionTime") or "" for c in refused)], default="")


def _unready_since(pod: Object) -> str:
    if is_ready(pod):
        return ""
    return _readiness(pod).get("lastTransitionTime") or pod["metadata"].get("creationTimestamp") or ""


def _statuses(pod: Object) -> Iterator[Object]:
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def _waiting(container: Object) -> Object:
    return (container.get("state") or {}).get("waiting") or {}


def _first_line(message: str | None) -> str:
    line = (message or "").strip().splitlines()[0] if (message or "").strip() else ""
    return line if len(line) <= 200 else f"{line[:199]}…"


def is_ready(pod: Object) -> bool:
    """Whether the kubelet says so."""
    return _readiness(pod).get("status") == "True"


def _readiness(pod: Object) -> Object:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return next((c for c in conditions if c.get("type") == "Ready"), {})


def has_proxy(pod: Object) -> bool:
    """Whether its Envoy has begun, so that it may call somebody, and is there to be asked."""
    status = pod.get("status") or {}
    if status.get("phase") != "Running" or not status.get("podIP"):
        return False
    if pod["metadata"].get("deletionTimestamp") and not is_ready(pod):
        return False
    return any(c["name"] == _PROXY and c.get("started") and not _waiting(c) for c in _statuses(pod))
