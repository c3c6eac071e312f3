"""What the mesh refuses, and whom it lets in: asked from inside the cluster, by pods that stand for strangers."""

import http.client
import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from demo.kubectl import DemoError, Kubectl, Object
from demo.voyage import Check
from loadtests.plan import HEADERS, HOST
from seatrial.api.names import identity_of

STRANGER = "stranger"
OUTSIDER = "seatrial-demo-outsider"
_PART = {"app.kubernetes.io/part-of": "seatrial-demo"}

# Runs in any pod with Python: connects, asks, and says what came of it.
_ASK = """
import http.client, json, sys, urllib.parse
url = urllib.parse.urlsplit(sys.argv[1])
said = {"connected": False, "status": 0, "body": "", "error": ""}
connection = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=5)
try:
    connection.connect()
    said["connected"] = True
    connection.request("GET", url.path)
    answer = connection.getresponse()
    said["status"], said["body"] = answer.status, answer.read(200).decode(errors="replace")
except OSError as error:
    said["error"] = type(error).__name__
print(json.dumps(said))
"""


def identity(namespace: str) -> Check:
    """Ask through the gateway which identity `orders` sees: the one of the service that calls it."""
    title = "identity"
    request = urllib.request.Request(f"{HOST}/api/v1/identity", headers=dict(HEADERS))  # noqa: S310 - our own gateway
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            seen = json.load(answer)
    except (OSError, ValueError) as error:
        return Check(title, f"no answer: {error}", holds=False)
    caller = seen.get("caller")
    return Check(title, f"orders saw {caller}", holds=caller == f"spiffe://{identity_of('gateway', namespace)}")


@contextmanager
def stranger(kubectl: Kubectl, image: str) -> Iterator[None]:
    """Have a service in the mesh that calls `catalog` without being among its callers."""
    manifest = {
        "apiVersion": "seatrial.dev/v1alpha1",
        "kind": "MeshService",
        "metadata": {"name": STRANGER, "namespace": kubectl.namespace, "labels": _PART},
        "spec": {
            "image": image,
            "command": ["python3", "-m", "http.server", "8080", "--directory", "/tmp"],  # noqa: S108 - in its container
            "port": 8080,
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
            "security": {"calls": [{"service": "catalog"}]},
        },
    }
    kubectl.apply(manifest)
    try:
        yield
    finally:
        kubectl("delete", "meshservice", STRANGER, "--wait=false", "--ignore-not-found")


def not_allowed(kubectl: Kubectl) -> Check:
    """Ask `catalog` as the stranger, whose sidecar has an identity that `catalog` doesn't let in."""
    ready = kubectl.until("meshservice", STRANGER, _ready, within=90)
    if ready is None:
        raise DemoError(f"{STRANGER} isn't ready after 90 s", f"kubectl -n {kubectl.namespace} describe ms {STRANGER}")
    pod = f"deploy/{STRANGER}-{ready['status']['stableRevision']}"
    said = json.loads(kubectl("exec", pod, "-c", "app", "--", "python3", "-c", _ASK, "http://catalog/v1/products"))
    seen = f"{STRANGER} asked catalog: {said['status'] or said['error']} {said['body']}".strip()
    return Check("not allowed", seen, holds=said["status"] == http.HTTPStatus.FORBIDDEN)


def plain_text(kubectl: Kubectl, image: str) -> Check:
    """Ask `orders` in plain text, from a pod that has no sidecar, in a namespace that isn't in the mesh."""
    outside = Kubectl(kubectl.context, "default")
    url = f"http://orders.{kubectl.namespace}/v1/identity"
    outside("delete", "pod", OUTSIDER, "--ignore-not-found", "--grace-period=1")
    outside.apply(_outsider(image, url))
    try:
        ended = outside.until("pod", OUTSIDER, _ended, within=60)
        if ended is None:
            raise DemoError(f"pod {OUTSIDER} didn't end within 60 s", f"kubectl describe pod {OUTSIDER}")
        said = json.loads(outside("logs", OUTSIDER).strip().splitlines()[-1])
    finally:
        outside("delete", "pod", OUTSIDER, "--wait=false", "--ignore-not-found", "--grace-period=1")
    return judged_plain_text(said)


def judged_plain_text(said: dict[str, Any]) -> Check:
    """Refused is who reached the proxy and was cut off without an answer. Who never got so far proves nothing."""
    title = "plain text"
    if said["status"]:
        return Check(title, f"orders answered {said['status']} to a pod without a sidecar", holds=False)
    if not said["connected"]:
        return Check(title, f"orders couldn't be reached at all: {said['error']}", holds=False)
    seen = f"a pod without a sidecar asked orders: {said['error']}"
    return Check(title, seen, holds=said["error"] in {"ConnectionResetError", "RemoteDisconnected"})


def _ready(service: Object) -> bool:
    conditions = service.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _ended(pod: Object) -> bool:
    return pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}


def _outsider(image: str, url: str) -> Object:
    container = {
        "name": "app",
        "image": image,
        "command": ["python3", "-c", _ASK, url],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    labels = {**_PART, "sidecar.istio.io/inject": "false"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": OUTSIDER, "labels": labels},
        "spec": {"restartPolicy": "Never", "automountServiceAccountToken": False, "containers": [container]},
    }
