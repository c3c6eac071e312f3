"""The operator's own pods, for tests that take them away: killed, scaled to nothing, brought back."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from support.kubectl import Kubectl, Object
from support.node import signal_pod
from support.services import name_of, uid_of, unix
from support.waiting import eventually

SYSTEM = "seatrial-system"
OPERATOR = "seatrial-operator"
JANITOR = "seatrial-janitor"
LEASE = "seatrial"


class Operators:
    """Operator and janitor, each a Deployment, and the Lease that one process holds."""

    def __init__(self, kubectl: Kubectl) -> None:
        self.kubectl = kubectl.within(SYSTEM)
        self._dead: set[str] = set()

    def pods(self, deployment: str = OPERATOR) -> list[Object]:
        """Pods of a Deployment that aren't being deleted."""
        wanted = self.kubectl.the("deployment", deployment)["spec"]["selector"]["matchLabels"]
        found = self.kubectl.list("pods", ",".join(f"{k}={v}" for k, v in wanted.items()))
        return [p for p in found if "deletionTimestamp" not in p["metadata"]]

    def lease(self) -> Object:
        """The Lease."""
        return self.kubectl.the("lease", LEASE)

    def holder(self) -> str:
        """Pod that holds the Lease; empty where it is held by nobody, by a killed one, or by one that is silent."""
        spec = self.lease()["spec"]
        age = datetime.now().astimezone() - datetime.fromisoformat(spec["renewTime"])
        identity = spec.get("holderIdentity") or ""
        if identity in self._dead or age.total_seconds() >= spec["leaseDurationSeconds"]:
            return ""
        return next((n for n in map(name_of, self._all()) if n in identity), "")

    def gave_back(self) -> float:
        """Unix time at which the last holder gave the Lease back; 0 while somebody has it."""
        spec = self.lease()["spec"]
        return 0.0 if spec.get("holderIdentity") else unix(spec["renewTime"])

    def kill(self, pod: str) -> None:
        """End a pod's processes by SIGKILL, as running out of memory would; the kubelet starts them again.

        At once the first time. From the second time on within ten minutes it waits 10 s and more, so that a `fresh` pod
        is needed where that matters.
        """
        identity = self.lease()["spec"].get("holderIdentity") or ""
        self._signal(pod, "KILL")
        if pod in identity:
            self._dead.add(identity)

    @contextmanager
    def hung(self, pod: str) -> Iterator[None]:
        """Stop a pod's processes while the block lasts: alive, and silent."""
        self._signal(pod, "STOP")
        try:
            yield
        finally:
            self._signal(pod, "CONT")

    def fresh(self) -> None:
        """Replace the operator's pods by new ones, and wait until one of these holds the Lease."""
        self.kubectl("delete", "pod", *map(name_of, self.pods()), timeout=100)
        self.await_ready()
        self.await_holder()

    def await_holder(self, within: float = 60.0) -> str:
        """Wait until an operator's pod holds the Lease."""
        return eventually(
            lambda: self.holder() if self.holder() in map(name_of, self.pods()) else "",
            within=within,
            what="an operator holds the Lease",
        )

    def await_ready(self) -> None:
        """Wait until all operators are ready."""
        self.kubectl("rollout", "status", "deployment", OPERATOR, "--timeout=90s", timeout=100)

    @contextmanager
    def several(self, count: int) -> Iterator[None]:
        """Have that many operators, all ready, while the block lasts."""
        before = int(self.kubectl.the("deployment", OPERATOR)["spec"]["replicas"])
        try:
            self._scale({OPERATOR: count})
            yield
        finally:
            self._scale({OPERATOR: before})

    @contextmanager
    def gone(self, *deployments: str) -> Iterator[None]:
        """Scale Deployments to nothing while the block lasts; afterwards an operator works again."""
        before = {d: int(self.kubectl.the("deployment", d)["spec"]["replicas"]) for d in deployments}
        try:
            for deployment in before:
                self.kubectl("scale", "deployment", deployment, "--replicas=0")
            eventually(lambda: not any(self.pods(d) for d in before), within=60, what="they are gone")
            yield
        finally:
            self._scale(before)

    def _scale(self, deployments: Mapping[str, int]) -> None:
        """Scale, and wait until all of them are ready and one holds the Lease."""
        for deployment, replicas in deployments.items():
            self.kubectl("scale", "deployment", deployment, f"--replicas={replicas}")
        for deployment in deployments:
            self.kubectl("rollout", "status", "deployment", deployment, "--timeout=90s", timeout=100)
        self.await_holder()

    def _signal(self, pod: str, signal: str) -> None:
        signal_pod(uid_of(self.kubectl.the("pod", pod)), signal)

    def _all(self) -> list[Object]:
        return self.kubectl.list("pods")
