"""Helm releases of the cluster, Seatrial's own and the shop's: upgraded, taken away and put back as a user does it."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.kubectl import CONTEXT
from support.operators import SYSTEM

CHARTS = Path(__file__).parents[2] / "charts"
NAMESPACES = {"seatrial": SYSTEM, "shop": "shop"}
"""Where the release of each chart is."""


@dataclass(frozen=True)
class Release:
    """What `helm` knows of it: the values it was given, and the description that says what was installed."""

    name: str
    values: dict[str, Any]
    description: str

    @classmethod
    def installed(cls, name: str = "seatrial") -> "Release":
        """The release as it is. It has the name of its chart."""
        namespace = NAMESPACES[name]
        values = json.loads(helm("get", "values", name, "-o", "json", namespace=namespace)) or {}
        info = json.loads(helm("status", name, "-o", "json", namespace=namespace))["info"]
        return cls(name, values, info["description"])

    def install(self, **changed: Any) -> None:
        """Install or upgrade it with its values, some of them changed, and wait until it is ready."""
        values = json.dumps(self.values | changed)
        said = ["--description", self.description, "--wait", "--timeout", "120s"]
        chart = str(CHARTS / self.name)
        helm("upgrade", "--install", self.name, chart, *said, "-f", "-", input=values, namespace=NAMESPACES[self.name])

    def uninstall(self) -> None:
        """Take it away, and wait until it is gone."""
        helm("uninstall", self.name, "--wait", "--timeout", "120s", namespace=NAMESPACES[self.name])

    def test(self) -> str:
        """Run the chart's own test, and give what helm says."""
        return helm("test", self.name, "--timeout", "90s", namespace=NAMESPACES[self.name])


def helm(*args: str, input: str | None = None, namespace: str = SYSTEM) -> str:  # noqa: A002 - the name subprocess has for it
    """Run helm in a namespace and give its standard output; an AssertionError has what it complained of."""
    argv = ["helm", "--kube-context", CONTEXT, "-n", namespace, *args]
    done = subprocess.run(argv, input=input, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, f"helm {' '.join(args)}: {done.stderr}"
    return done.stdout
