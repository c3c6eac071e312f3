"""Istio on the cluster: installed from `mesh/`, with the policies that hold for the whole mesh.

What was applied is remembered in a ConfigMap, by its content and set last; so an edit of `mesh/` is applied by the next
run, and nothing is applied twice.
"""

import http.client
import json
from pathlib import Path

from cluster.cache import content_key
from cluster.commands import Progress, await_true, command
from cluster.host import CONTEXT, GATEWAY_PORT
from cluster.images import GoTools, Mode, load_manifest
from cluster.kubectl import ask, kubectl
from cluster.steps import Step

MESH = Path(__file__).parent.parent / "mesh"

_NAMESPACE = "istio-system"
_APPLIED = "seatrial-mesh"
_APPLY_POLICIES = ("apply", "--server-side", "--force-conflicts", f"--filename={MESH / 'policy'}")


def istio_steps(mode: Mode) -> list[Step]:
    """Give the steps that end with a gateway that answers on loopback."""
    return [
        Step(
            "Istio",
            lambda progress: _install(mode, progress),
            lambda: _applied("install", _install_key(mode)) and _deployments_ready(),
        ),
        Step(
            "Mesh policies and gateway", _set_policies, lambda: _applied("policy", _policy_key()) and gateway_answers()
        ),
    ]


def gateway_answers() -> bool:
    """Tell whether Envoy answers on the loopback port, whatever it says."""
    connection = http.client.HTTPConnection("127.0.0.1", GATEWAY_PORT, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().getheader("server") == "istio-envoy"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def install_files(mode: Mode) -> list[Path]:
    """List the files that say how Istio is installed, the later ones added to the earlier."""
    base = MESH / "istio.yaml"
    return [base, MESH / "upstream-envoy.yaml"] if mode is Mode.BUILD else [base]


def _install(mode: Mode, progress: Progress) -> None:
    istioctl = GoTools(load_manifest()).binary("istioctl")
    files = [f"--filename={file}" for file in install_files(mode)]
    options = ["--context", CONTEXT, "--skip-confirmation", "--readiness-timeout=5m"]
    command([istioctl, "install", *options, *files], progress=progress)
    kubectl("label", "namespace", "default", "istio-injection=disabled", "--overwrite")
    _remember("install", _install_key(mode))


def _set_policies(progress: Progress) -> None:
    await_true(
        _policies_are_admitted,
        "istiod, which validates what is applied, did not take the mesh's policies",
        f"kubectl apply --server-side --force-conflicts --dry-run=server -f {MESH / 'policy'}",
    )
    kubectl(*_APPLY_POLICIES)
    progress.say("mutual TLS only, and nobody may call anybody but where a policy says so")
    await_true(
        gateway_answers,
        f"the gateway did not answer on 127.0.0.1:{GATEWAY_PORT}",
        f"kubectl -n {_NAMESPACE} logs deploy/istio-ingressgateway",
    )
    _remember("policy", _policy_key())


def _policies_are_admitted() -> bool:
    """Ask istiod's webhook by a dry run: a Service has its address some time before its rules reach the node."""
    return ask(*_APPLY_POLICIES, "--dry-run=server") is not None


def _install_key(mode: Mode) -> str:
    return content_key(*install_files(mode))


def _policy_key() -> str:
    return content_key(MESH / "policy")


def _remember(what: str, key: str) -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{_APPLIED}-{what}", "namespace": _NAMESPACE},
        "data": {"content": key},
    }
    kubectl("apply", "--server-side", "--filename=-", given=json.dumps(manifest))


def _applied(what: str, key: str) -> bool:
    kept = ["get", "configmap", f"{_APPLIED}-{what}", "--output=jsonpath={.data.content}"]
    return ask("--namespace", _NAMESPACE, *kept) == key


def _deployments_ready() -> bool:
    listing = ask("--namespace", _NAMESPACE, "get", "deployments", "--output=json")
    deployments = json.loads(listing)["items"] if listing else []
    ready = [item["status"].get("readyReplicas", 0) >= item["spec"]["replicas"] for item in deployments]
    return bool(ready) and all(ready)
