"""The operator as a process of this machine, measured: its metrics, memory and processor time.

Nobody else may hold its Lease meanwhile, so the Deployments of operator and janitor are scaled to nothing before.
"""

import os
import subprocess
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from prometheus_client.parser import text_string_to_metric_families

from support.envoy import free_port
from support.kubectl import Kubectl
from support.machine import cpu_seconds
from support.operators import SYSTEM
from support.waiting import eventually

ROOT = Path(__file__).parents[2]
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Figures:
    """Its metrics at a moment, and what the kernel says of the process: seconds of processor time, bytes of memory."""

    samples: dict[tuple[str, frozenset[tuple[str, str]]], float]
    cpu: float
    memory: int

    def total(self, name: str, **labels: str) -> float:
        """Sum of the series of that name that have these labels."""
        wanted = labels.items()
        return sum(value for (named, about), value in self.samples.items() if named == name and wanted <= set(about))

    def since(self, before: "Figures") -> "Figures":
        """What came in between; memory is as it is now."""
        grown = {key: value - before.samples.get(key, 0.0) for key, value in self.samples.items()}
        return Figures(grown, self.cpu - before.cpu, self.memory)

    def spread(self, name: str, **labels: str) -> "Spread":
        """Of a histogram."""
        bounds: dict[float, float] = {}
        for (named, about), value in self.samples.items():
            if named == f"{name}_bucket" and labels.items() <= set(about):
                bound = float(dict(about)["le"])
                bounds[bound] = bounds.get(bound, 0.0) + value
        return Spread(bounds)


@dataclass(frozen=True)
class Spread:
    """A histogram: how many values are at most each bound."""

    bounds: dict[float, float] = field(default_factory=dict)

    @property
    def count(self) -> float:
        """How many values there are."""
        return max(self.bounds.values(), default=0.0)

    def upto(self, bound: float) -> float:
        """Share of the values that are at most a bound of the histogram's."""
        return self.bounds[bound] / self.count if self.count else 0.0

    def quantile(self, share: float) -> float:
        """The value that such a share is at most, drawn straight between bounds, as Prometheus does."""
        below, before = 0.0, 0.0
        for bound, upto in sorted(self.bounds.items()):
            if upto >= share * self.count > 0:
                if bound == float("inf"):
                    return below
                return below + (bound - below) * (share * self.count - before) / max(upto - before, 1e-9)
            below, before = bound, upto
        return below


class Afloat:
    """Runs it while the block lasts; `istiod` is where it asks istiod, and it asks pods by their addresses."""

    def __init__(self, folder: Path, kubectl: Kubectl, istiod: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "kubeconfig.yaml"
        config.write_text(kubectl("config", "view", "--minify", "--flatten"))
        config.chmod(0o600)
        self._log = (folder / "operator.log").open("wb")
        self._metrics, health = free_port(), free_port()
        self._env = os.environ | {
            "KUBECONFIG": str(config),
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",  # pods are reached as in a cluster: at their own addresses
            "POD_NAMESPACE": SYSTEM,
            "POD_NAME": "afloat",
            "SEATRIAL_ISTIOD_URL": istiod,
            "SEATRIAL_HEALTH_PORT": str(health),
            "SEATRIAL_METRICS_PORT": str(self._metrics),
            "SEATRIAL_LOG_LEVEL": "warning",
        }

    def __enter__(self) -> Self:
        seatrial = ROOT / ".venv" / "bin" / "seatrial"
        self._process = subprocess.Popen(  # Ctrl-C ends the run, which still needs it to take its services away
            [seatrial, "operator"], env=self._env, stdout=self._log, stderr=self._log, start_new_session=True
        )
        eventually(lambda: self.figures().total("seatrial_leader") == 1, within=60, what="it holds the Lease")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        self._log.close()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def figures(self) -> Figures:
        """As they are now."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics}/metrics", timeout=10) as answer:
                text = answer.read().decode()
        except OSError as error:
            raise AssertionError(f"no metrics: {error}; it ended: {self._process.poll()}") from error
        samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
        memory = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE
        return Figures(samples, cpu_seconds(self.pid), memory)
