"""The operator's own pods, for tests that take them away: killed, scaled to nothing, brought back."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from support.kubectl import Kubectl, Object
from support.services import name_of
from support.waiting import eventually

SYSTEM = "seatrial-system"
OPERATOR = "seatrial-operator"
JANITOR = "seatrial-janitor"
LEASE = "seatrial"


class Operators:
    """Operator and janitor, each a Deployment, and the Lease that one process holds."""

    def __init__(self, kubectl: Kubectl) -> None:
        self.kubectl = kubectl.within(SYSTEM)

    def pods(self, deployment: str = OPERATOR) -> list[Object]:
        """Pods of a Deployment that aren't being deleted."""
        wanted = self.kubectl.the("deployment", deployment)["spec"]["selector"]["matchLabels"]
        found = self.kubectl.list("pods", ",".join(f"{k}={v}" for k, v in wanted.items()))
        return [p for p in found if "deletionTimestamp" not in p["metadata"]]

    def lease(self) -> Object:
        """The Lease."""
        return self.kubectl.the("lease", LEASE)

    def holder(self) -> str:
        """Pod that holds the Lease; empty where it is held by nobody, or by one that stopped renewing it."""
        spec = self.lease()["spec"]
        age = datetime.now().astimezone() - datetime.fromisoformat(spec["renewTime"])
        fresh = age.total_seconds() < spec["leaseDurationSeconds"]
        identity = spec.get("holderIdentity") or ""
        return next((n for n in map(name_of, self._all()) if fresh and n in identity), "")

    def kill(self, pod: str) -> None:
        """End a pod's processes at once, as a crash of the node would."""
        self.kubectl.delete("pod", pod, options=["--force", "--grace-period=0", "--wait=false"])

    def await_holder(self, within: float = 60.0) -> str:
        """Wait until an operator's pod holds the Lease."""
        return eventually(
            lambda: self.holder() if self.holder() in map(name_of, self.pods()) else "",
            within=within,
            what="an operator holds the Lease",
        )

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
            for deployment, replicas in before.items():
                self.kubectl("scale", "deployment", deployment, f"--replicas={replicas}")
            for deployment in before:
                self.kubectl("rollout", "status", "deployment", deployment, "--timeout=90s", timeout=100)
            self.await_holder()

    def _all(self) -> list[Object]:
        return self.kubectl.list("pods")
