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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    """Runs it while the block lasts; whenever it ended it is there again (see `lives`). `deaths` counts.

    `istiod` is where it asks istiod. It asks pods through the API server, or `direct` by their addresses.
    """

    def __init__(self, midway: Midway, folder: Path, istiod: str, *, direct: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.deaths = -1  # before the first life
        self._log = folder / "operator.log"
        self._env = os.environ | {
            "KUBECONFIG": str(midway.kubeconfig(folder)),
            "POD_NAMESPACE": SYSTEM,
            "POD_NAME": "apart",
            "SEATRIAL_ISTIOD_URL": istiod,
            "SEATRIAL_HEALTH_PORT": "0",
            "SEATRIAL_METRICS_PORT": "0",
        }
        if direct:
            self._env["KUBERNETES_SERVICE_HOST"] = "127.0.0.1"
        self._pid = 0
        self._listener = threading.Thread(target=self._listen, daemon=True, name="apart")

    def __enter__(self) -> Self:
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

    What the dead one wrote last may still be on its way, as from a machine that is lost. Writes whose names `only`
    isn't found in are let through.
    """

    def __init__(self, apart: Apart, only: str = "") -> None:
        self.tries: Counter[Write] = Counter()
        self._apart = apart
        self._only = re.compile(only)

    def __call__(self, write: Write | None) -> Fate:
        """What becomes of a write."""
        if write is None or not self._only.search(str(write)):
            return PASSES
        self.tries[write] += 1
        if self.tries[write] > len(MOMENTS):
            return PASSES
        self._apart.kill()
        return Fate(cut=MOMENTS[self.tries[write] - 1])


@contextmanager
def istiods_port(kubectl: Kubectl, folder: Path) -> Iterator[str]:
    """istiod's port on this machine, while the block lasts: through the API server it takes no token."""
    folder.mkdir(parents=True, exist_ok=True)
    heard = folder / "istiod.log"  # it says something of every connection, and would wait for who doesn't read that
    with heard.open("wb") as log:
        argv = kubectl.within("istio-system").argv("port-forward", "deployment/istiod", ":15014")
        process = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        said = re.compile(r"127\.0\.0\.1:(\d+)")
        found = eventually(lambda: said.search(heard.read_text()), within=30, what="kubectl forwards istiod's port")
        assert found is not None
        yield f"http://127.0.0.1:{found[1]}"
    finally:
        process.terminate()
        process.wait(timeout=10)
