"""The operator as a process of this machine, in the place of the one in the cluster: it may die at any write.

Nobody else may hold its Lease meanwhile, so the Deployments of operator and janitor are scaled to nothing before.
"""

import os
import re
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from support.kubectl import Kubectl
from support.midway import PASSES, Fate, Midway, Write
from support.operators import SYSTEM

ROOT = Path(__file__).parents[2]
MOMENTS = ("before", "after")


class Apart:
    """Runs it while the block lasts, and starts it again whenever it ended. `deaths` counts."""

    def __init__(self, midway: Midway, folder: Path, kubectl: Kubectl) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.deaths = 0
        self._log = (folder / "operator.log").open("ab")
        self._forward = _Forward(kubectl)
        self._env = os.environ | {
            "KUBECONFIG": str(midway.kubeconfig(folder)),
            "POD_NAMESPACE": SYSTEM,
            "POD_NAME": "apart",
            "SEATRIAL_HEALTH_PORT": "0",
            "SEATRIAL_METRICS_PORT": "0",
        }
        self._over = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True, name="apart")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._env["SEATRIAL_ISTIOD_URL"] = self._forward.start()
        self._keeper.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._process is not None:
            self._process.terminate()
        self._keeper.join(timeout=20)
        self._forward.stop()
        self._log.close()

    def kill(self) -> None:
        """End it as it stands; another one begins at once."""
        process = self._process
        if process is not None:
            process.kill()

    def _keep(self) -> None:
        seatrial = ROOT / ".venv" / "bin" / "seatrial"
        while not self._over.is_set():
            self._process = subprocess.Popen([seatrial, "operator"], env=self._env, stdout=self._log, stderr=self._log)
            self._process.wait()
            self.deaths += 1


class Kills:
    """A rule: the operator dies before each write when it is tried first, and after it when it is tried again.

    `chosen` says for which ones. What the dead one wrote last may still be on its way, as from a machine that is lost.
    """

    def __init__(self, apart: Apart, chosen: Callable[[Write], bool] = lambda _: True) -> None:
        self.tries: Counter[Write] = Counter()
        self._apart = apart
        self._chosen = chosen

    def __call__(self, write: Write | None) -> Fate:
        """What becomes of a write."""
        if write is None or not self._chosen(write):
            return PASSES
        self.tries[write] += 1
        if self.tries[write] > len(MOMENTS):
            return PASSES
        self._apart.kill()
        return Fate(cut=MOMENTS[self.tries[write] - 1])


class _Forward:
    """istiod's port on this machine: through the API server it takes no token."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._argv = kubectl.within("istio-system").argv("port-forward", "deployment/istiod", ":15014")
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> str:
        self._process = subprocess.Popen(self._argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        port = re.search(r"127\.0\.0\.1:(\d+)", line)
        assert port is not None, f"kubectl port-forward says {line!r}"
        return f"http://127.0.0.1:{port[1]}"

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)
