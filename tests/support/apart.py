"""The operator as a process of this machine, in the place of the one in the cluster: it may die at any write.

Nobody else may hold its Lease meanwhile, so the Deployments of operator and janitor are scaled to nothing before.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from support.kubectl import Kubectl
from support.midway import PASSES, Fate, Midway, Write
from support.operators import SYSTEM
from support.waiting import eventually

LIVES = Path(__file__).with_name("lives.py")
MOMENTS = ("before", "after")


class Apart:
    """Runs it while the block lasts; whenever it ended it is there again (see `lives`). `deaths` counts."""

    def __init__(self, midway: Midway, folder: Path, kubectl: Kubectl) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.deaths = -1  # before the first life
        self._log = folder / "operator.log"
        self._forward = _Forward(kubectl, folder / "istiod.log")
        self._env = os.environ | {
            "KUBECONFIG": str(midway.kubeconfig(folder)),
            "POD_NAMESPACE": SYSTEM,
            "POD_NAME": "apart",
            "SEATRIAL_HEALTH_PORT": "0",
            "SEATRIAL_METRICS_PORT": "0",
        }
        self._pid = 0
        self._listener = threading.Thread(target=self._listen, daemon=True, name="apart")

    def __enter__(self) -> Self:
        self._env["SEATRIAL_ISTIOD_URL"] = self._forward.start()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, LIVES], env=self._env, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self._listener.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait(timeout=5)
        self._listener.join(timeout=5)
        self._forward.stop()

    def kill(self) -> None:
        """End it as it stands; another one begins at once."""
        if self._pid:  # 0 would mean everybody
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as said:
            for line in said:
                self._pid = int(line)
                self.deaths += 1


class Kills:
    """A rule: the operator dies before each write when it is tried first, and after it when it is tried again.

    What the dead one wrote last may still be on its way, as from a machine that is lost.
    """

    def __init__(self, apart: Apart) -> None:
        self.tries: Counter[Write] = Counter()
        self._apart = apart

    def __call__(self, write: Write | None) -> Fate:
        """What becomes of a write."""
        if write is None:
            return PASSES
        self.tries[write] += 1
        if self.tries[write] > len(MOMENTS):
            return PASSES
        self._apart.kill()
        return Fate(cut=MOMENTS[self.tries[write] - 1])


class _Forward:
    """istiod's port on this machine: through the API server it takes no token."""

    def __init__(self, kubectl: Kubectl, log: Path) -> None:
        self._argv = kubectl.within("istio-system").argv("port-forward", "deployment/istiod", ":15014")
        self._log = log  # it says something of every connection, and would wait for who doesn't read that

    def start(self) -> str:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._argv, stdout=log, stderr=log)
        port = eventually(self._port, within=30, what="kubectl forwards istiod's port")
        return f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)

    def _port(self) -> str:
        said = self._log.read_text()
        found = re.search(r"127\.0\.0\.1:(\d+)", said)
        assert found is not None, said
        return found[1]
