"""Parts of the control plane that are killed while something is under way, and wait until they answer again."""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from support.kubectl import Kubectl
from support.looking import ClusterError
from support.node import NODE
from support.operators import Operators
from support.services import is_ready, uid_of
from support.waiting import eventually

BACK_WITHIN = 120.0

# A changed manifest is a new pod to the kubelet. With the same one it would wait before each further start, twice as
# long as before, and what rests on an API server that is long away crashes in its turn.
_KILL_API_SERVER = r"""
cd /etc/kubernetes/manifests
sed "/killed-at:/d; s|^  annotations:|&\n    killed-at: \"$(date +%s)\"|" kube-apiserver.yaml >.next
mv .next kube-apiserver.yaml
kill -KILL "$(pidof kube-apiserver)"
"""


@dataclass(frozen=True)
class ControlPlane:
    """The API server, istiod and the active operator, by name in `parts`."""

    kubectl: Kubectl
    operators: Operators

    @property
    def parts(self) -> Mapping[str, Callable[[], None]]:
        """What can be killed; each call returns when it is back, but for the operator, which has a second one."""
        return {"operator": self.kill_operator, "istiod": self.kill_istiod, "API server": self.kill_api_server}

    def kill_operator(self) -> None:
        """Kill the process that holds the Lease."""
        self.operators.kill(self.operators.await_holder(within=90))

    def kill_istiod(self) -> None:
        """Delete istiod's pod without grace; another one is made."""
        system = self.kubectl.within("istio-system")
        before = {uid_of(p) for p in system.list("pods", "app=istiod")}
        system("delete", "pods", "-l", "app=istiod", "--force", "--grace-period=0", "--wait=false")

        def back() -> bool:
            return any(is_ready(p) and uid_of(p) not in before for p in system.list("pods", "app=istiod"))

        eventually(back, within=BACK_WITHIN, what="another istiod is ready")

    @contextmanager
    def without_istiod(self) -> Iterator[None]:
        """Have no istiod while the block lasts; afterwards one is ready."""
        system = self.kubectl.within("istio-system")
        try:
            system("scale", "deployment", "istiod", "--replicas=0")
            eventually(lambda: not system.list("pods", "app=istiod"), within=60, what="istiod is gone")
            yield
        finally:
            system("scale", "deployment", "istiod", "--replicas=1")
            system("rollout", "status", "deployment", "istiod", "--timeout=90s", timeout=100)

    def kill_api_server(self) -> None:
        """Kill the API server's process; the kubelet starts another one at once."""
        kill = ["docker", "exec", NODE, "sh", "-ec", _KILL_API_SERVER]
        subprocess.run(kill, capture_output=True, timeout=20, check=True)
        eventually(self._answers, within=BACK_WITHIN, every=1, what="the API server is ready")

    def _answers(self) -> bool:
        try:
            return self.kubectl.raw("/readyz") == "ok"
        except ClusterError:
            return False
