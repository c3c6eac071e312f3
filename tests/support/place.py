"""A managed namespace of a test's own: made as a user makes one, with services, load and requests in it."""

import re
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtests import Ask, OpenLoad, open_load
from seatrial.cli.cluster import on_cluster
from seatrial.cli.namespaces import manage
from support import actor, grpc_actor, taker
from support.asking import Edge, Inside
from support.kubectl import CONTEXT, Kubectl
from support.proxies import Stats, gateway_pod, stats
from support.services import Json, Service, merged
from support.waiting import eventually

PATH = "/v1/identity"  # of every service of the shop; small, and its answer says who called
MEMORY = {"requests": {"cpu": "10m", "memory": "64Mi"}}
SMALL = {"requests": {"cpu": "10m", "memory": "24Mi"}}
ACTOR = ["python3", "-I", "-c", Path(actor.__file__).read_text()]
GRPC_ACTOR = ["python3", "-I", "-c", Path(grpc_actor.__file__).read_text()]
TAKER = ["python3", "-I", "-c", Path(taker.__file__).read_text()]


@dataclass
class Place:
    """A managed namespace. `image` is what its services run, `folder` where a test leaves what it recorded."""

    kubectl: Kubectl
    image: str
    folder: Path
    loads: int = 0

    @property
    def namespace(self) -> str:
        """Its name."""
        return self.kubectl.namespace

    @property
    def edge(self) -> Edge:
        """Its host on the ingress gateway."""
        return Edge(f"{self.namespace}.localhost")

    def service(self, name: str, *, exposed: bool = True, **spec: Any) -> Service:
        """A small service (see `actor`) that isn't applied yet; `exposed`: at the prefix / of this namespace's host."""
        base: Json = {
            "image": self.image,
            "command": ACTOR,
            "port": 8080,
            "env": {"RELEASE": "one"},
            "resources": SMALL,
            "probes": {"ready": "/readyz"},  # it starts at once: a startup probe would cost a round of the kubelet
            "rollout": {"steps": [30], "hold": "2s", "progressDeadline": "60s"},
        }
        if exposed:
            base["security"] = {"callers": [{"ingress": {}}]}
            base["expose"] = [{"host": self.edge.host, "prefix": "/"}]
        return Service(self.kubectl, name, merged(base, spec))

    def catalog(self, name: str, *, exposed: bool = True, **spec: Any) -> Service:
        """A service of the shop, whose faults can be asked for; its pods take some seconds of CPU to start."""
        base: Json = {
            "command": None,
            "env": {"FAULTS": "enabled"},
            "probes": {"startup": "/livez"},
            "resources": MEMORY,
        }
        return self.service(name, exposed=exposed, **merged(base, spec))

    def actor(self, name: str, *, part: Json | None = None, **spec: Any) -> Service:
        """A service that plays a part (see `actor`) in two pods, whose changes are judged with the defaults."""
        base: Json = {
            "env": part or {},
            "replicas": 2,
            "rollout": {"steps": [10, 50], "hold": None, "analysis": {}},
        }
        return self.service(name, **merged(base, spec))

    def grpc_actor(self, name: str, **spec: Any) -> Service:
        """A service of gRPC alone (see `grpc_actor`) whose changes are judged."""
        ports = [{"name": "calls", "port": 80, "targetPort": 8080, "appProtocol": "grpc"}]
        made = self.actor(name, **merged({"command": GRPC_ACTOR, "ports": ports}, spec))
        return made.changed(port=None, probes=None)

    def taker(self, name: str, *, takes: str, **spec: Any) -> Service:
        """A consumer without ports (see `taker`) that takes from a service, in four pods."""
        base: Json = {
            "command": TAKER,
            "port": None,
            "probes": None,
            "env": {"TAKE": f"http://{takes}/"},
            "security": {"calls": [{"service": takes}]},
            "replicas": 4,
            "shutdown": {"grace": "2s"},
        }
        return self.service(name, exposed=False, **merged(base, spec))

    def load(self, *, rate: float = 30, path: str = PATH, ask: Ask | None = None, **settings: Any) -> OpenLoad:
        """Requests from outside for as long as the block lasts: open arrival, independent users.

        Each is a GET of `path`, or what `ask` says.
        """
        self.loads += 1
        folder = self.folder / f"load-{self.loads}"
        folder.mkdir(parents=True, exist_ok=True)
        headers = (("Host", self.edge.host),)
        return open_load(rate=rate, ask=ask or Ask(path, name="load"), headers=headers, folder=folder, **settings)

    def inside(self, service: Service, number: int = 1) -> Inside:
        """Requests from a pod of a service."""
        return Inside(self.kubectl, service.pod(number))

    def stats(self, service: Service, number: int = 1) -> Stats:
        """What the proxy of a service's pod counted."""
        return stats(self.kubectl, service.pod(number))

    def gateway_stats(self) -> Stats:
        """What the ingress gateway counted."""
        system = self.kubectl.within("istio-system")
        return stats(system, gateway_pod(system))

    def seatrial(self, *args: str) -> str:
        """Run our command in this namespace, as a user does; it must end well."""
        argv = ["seatrial", *args, "-n", self.namespace, "--context", CONTEXT]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, f"{' '.join(argv)} ended with {done.returncode}: {done.stderr or done.stdout}"
        return done.stdout

    def close(self) -> None:
        """Delete it all, without waiting."""
        Kubectl()("delete", "namespace", self.namespace, "--ignore-not-found", "--wait=false")

    def goes_away(self, within: float = 90.0) -> None:
        """Delete it all, and wait until nothing is left of it."""
        self.close()

        def gone() -> bool:
            left = Kubectl().get("namespace", self.namespace)
            assert left is None, [c["message"] for c in left["status"].get("conditions", []) if c["status"] == "True"]
            return True

        eventually(gone, within=within, every=1, what=f"namespace {self.namespace} is gone")


def make_place(title: str, image: str, folder: Path) -> Place:
    """Make a managed namespace, as the command does that users have for it (a process for each takes its time)."""
    words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:32].rstrip("-")
    name = f"e2e-{words}-{secrets.token_hex(2)}"
    on_cluster(CONTEXT, lambda cluster: manage(cluster, name, force=False))
    return Place(Kubectl(name), image, folder)


def in_mid_rollout(*places: Place, grace: str) -> list[Service]:
    """A service in each, whose second revision has 30 % and keeps them; their pods may take `grace` to end."""
    services = [p.service("orders", rollout={"hold": "300s"}, shutdown={"grace": grace}) for p in places]
    for service in services:
        service.apply()
    for service in services:
        service.await_stable(1)
        service.release("two")
    for service in services:
        service.await_weight(2, 30)
    return services


def shop_image(kubectl: Kubectl) -> str:
    """The image of `catalog` that the node has, by the tag that the shop runs with."""
    running = kubectl.within("shop").get("ms", "catalog")
    if running is not None:
        image: str = running["spec"]["image"]
        return image
    nodes = kubectl.list("nodes")
    names = [name for node in nodes for image in node["status"]["images"] for name in image["names"]]
    found = [
        re.sub(r"^(docker\.io/|localhost/)", "", n) for n in names if re.search(r"seatrial/catalog:[0-9a-f]{12}$", n)
    ]
    assert found, "the node has no image seatrial/catalog; make shop brings it there"
    return found[0]
