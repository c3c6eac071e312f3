"""What is kept of a test that failed: all that one would ask the cluster for, before the namespace is gone."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.kubectl import Kubectl
from support.looking import ClusterError
from support.operators import SYSTEM
from support.place import Place
from support.proxies import STATS, gateway_pod

_OURS = "meshservices,revisions"
_MESH = "virtualservices,destinationrules,sidecars,authorizationpolicies,serviceentries,gateways.networking.istio.io"
_PODS = "deployments,replicasets,pods,services,endpointslices,configmaps,jobs,poddisruptionbudgets,networkpolicies"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Keep what a failed test's namespaces look like, while they are still there; a conftest imports this."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.failed and report.when in {"setup", "call"}:
        for place in getattr(item, "funcargs", {}).values():
            if isinstance(place, Place):
                keep(place, report.longreprtext)
                report.sections.append(("kept", str(place.folder)))
    return report  # type: ignore[return-value]


def keep(place: Place, error: str) -> None:
    """Write it all to the test's folder, each thing to a file of its own; what can't be had says why."""
    here = place.kubectl
    operators = here.within(SYSTEM)
    place.folder.mkdir(parents=True, exist_ok=True)
    (place.folder / "error.txt").write_text(error)
    _write(place.folder / "seatrial.txt", lambda: here("get", _OURS, "-o", "wide"))
    _write(place.folder / "seatrial.yaml", lambda: here("get", _OURS, "-o", "yaml"))
    _write(place.folder / "mesh.yaml", lambda: here("get", _MESH, "-o", "yaml"))
    _write(place.folder / "objects.txt", lambda: here("get", _PODS, "-o", "wide"))
    _write(place.folder / "pods.txt", lambda: here("describe", "pods"))
    _write(place.folder / "events.txt", lambda: here("get", "events", "--sort-by=.metadata.creationTimestamp"))
    _write(place.folder / "lease.yaml", lambda: operators("get", "leases", "-o", "yaml"))
    _keep_logs(place.folder, operators, "operators", tail=600)
    _keep_logs(place.folder, here, "apps", tail=150)
    _write(place.folder / "gateway.txt", lambda: _gateway(here))


def _keep_logs(folder: Path, kubectl: Kubectl, name: str, *, tail: int) -> None:
    def logs() -> str:
        return "\n".join(
            kubectl(
                "logs", pod["metadata"]["name"], "--all-containers", "--prefix", f"--tail={tail}", "--ignore-errors"
            )
            for pod in kubectl.list("pods")
        )

    _write(folder / f"{name}.log", logs)


def _gateway(here: Kubectl) -> str:
    """Its counters for this namespace, and the access log's lines about it."""
    system = here.within("istio-system")
    pod = gateway_pod(system)
    path = f"/api/v1/namespaces/istio-system/pods/{pod}:{STATS}/proxy/stats/prometheus?usedonly&filter={here.namespace}"
    lines = system("logs", pod, "--tail=3000").splitlines()
    ours = [line for line in lines if here.namespace in line]
    return "\n".join([*ours, "", system.raw(path)])


def _write(path: Path, ask: Callable[[], str]) -> None:
    try:
        text = ask()
    except (ClusterError, json.JSONDecodeError, AssertionError) as error:
        text = f"can't be had: {error}"
    path.write_text(text)
