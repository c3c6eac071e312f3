"""Stories told on a control plane of its own, to an operator of this machine: no cluster is needed, and nothing runs.

The API server is a real one; pods, their sidecars and istiod are stand-ins (see `crowd`). So nobody can be harmed here:
what is seen is that each write of the operator may be its last one.
"""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.apart import Apart
from support.crowd import Crowd
from support.kubectl import CONTEXT, Kubectl
from support.kubelet import SCHEDULER
from support.midway import Midway, Rule
from support.services import Json, Service
from support.stories import STORIES, End, end_of
from support.striking import struck

FAILS = 0.3
RATE = 120.0  # requests a second, of which the front's proxies send a half


@dataclass
class Ashore:
    """Where they are told: a namespace in which a front calls all others."""

    kubectl: Kubectl
    crowd: Crowd
    midway: Midway
    apart: Apart
    called: list[str] = field(default_factory=list)

    def tell(self, name: str, title: str, rule: Callable[[Apart], Rule] | None = None) -> End:
        """Tell a story of a service that is called `name`; returns how it ended."""
        story, name = STORIES[title], f"{name}-{title.replace(' ', '-')}"
        if story.bad:
            self.crowd.fails = {**self.crowd.fails, f"{name}.{self.kubectl.namespace}.svc.cluster.local": FAILS}
        service = self._service(name, security={"callers": [{"service": "front"}]}, rollout={"steps": [30]})
        service.spec["rollout"] |= story.rollout
        self.called.append(name)
        front = self._service("front", security={"calls": [{"service": other} for other in self.called]})
        front.apply()
        front.await_stable(1)
        if not story.new:
            service.apply()
            service.await_stable(1)
        with struck(self.midway, self.apart, rule):
            story.told(service)
        return end_of(service)

    def _service(self, name: str, **spec: Json) -> Service:
        base: Json = {
            "image": "seatrial/nowhere:1",
            "env": {"RELEASE": "one"},
            "port": 8080,
            "replicas": 2,
            "podTemplate": {"spec": {"schedulerName": SCHEDULER}},
            "shutdown": {"drain": "5s"},
        }
        return Service(self.kubectl, name, base | spec)


@contextmanager
def ashore(folder: Path) -> Iterator[Ashore]:
    """On the control plane that everybody here means."""
    namespace = "ashore"
    subprocess.run(["seatrial", "namespace", namespace, "--context", CONTEXT], check=True, timeout=60)
    with (
        Crowd(Kubectl(), RATE) as crowd,
        Midway(namespace) as midway,
        Apart(midway, folder, crowd.istiod, direct=True) as apart,
    ):
        yield Ashore(Kubectl(namespace), crowd, midway, apart)
