"""The shop of the cluster, as its users and as those who look after it see it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from demo.invariants import check
from demo.invariants.cluster import shop_in_cluster
from demo.kubectl import Kubectl as DemoKubectl
from support.asking import Answer, Edge, Request
from support.kubectl import CONTEXT, Kubectl
from support.services import Service, is_ready
from support.waiting import eventually

NAMESPACE = "shop"
ORDERS = "/api/v1/orders"
HARBOUR = {"name": "Ada", "street": "Kai 1", "postcode": "24103", "city": "Kiel", "country": "DE"}
JSON = {"content-type": "application/json"}
# Tells shipping, in its own pod, how all carriers are.
CONDITIONS = """
import json, sys, urllib.request
def ask(method, path, body=None):
    headers = {"content-type": "application/json"}
    asked = urllib.request.Request("http://127.0.0.1:8080" + path, body and body.encode(), headers, method=method)
    return json.load(urllib.request.urlopen(asked, timeout=10))
for carrier in ask("GET", "/v1/carriers"):
    ask("PUT", f"/v1/carriers/{carrier['carrier']}/conditions", sys.argv[1])
"""


@dataclass
class Shop:
    """The shop that `make shop` installed."""

    kubectl: Kubectl
    edge: Edge = field(default_factory=lambda: Edge("shop.localhost"))

    def place(self, customer: str, *, saga: str, quantity: int = 1) -> str:
        """Place an order that must be accepted, and give its id."""
        items = [{"sku": "rope-01", "quantity": quantity}]
        body = {"customer": customer, "items": items, "address": HARBOUR, "saga": saga}
        answer = self.post(ORDERS, body)
        assert answer.status == 201, answer
        placed: str = answer.json()["id"]
        return placed

    def post(self, path: str, body: dict[str, Any]) -> Answer:
        """POST a body as a user."""
        return self.edge.ask(Request(path, "POST", JSON, json.dumps(body)))

    def read(self, path: str) -> Any:
        """GET what must be there, as a user."""
        answer = self.edge.get(path)
        assert answer.status == 200, answer
        return answer.json()

    def status(self, order: str) -> str:
        """Where an order is."""
        status: str = self.read(f"{ORDERS}/{order}")["status"]
        return status

    def service(self, name: str) -> Service:
        """One of its services."""
        return Service(self.kubectl, name, {})

    def seatrial(self, *args: str) -> str:
        """Run our command as who looks after the shop does; it must end well."""
        argv = ["seatrial", *args, "-n", self.kubectl.namespace, "--context", CONTEXT]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, f"{' '.join(argv)} ended with {done.returncode}: {done.stderr or done.stdout}"
        return done.stdout

    def pod(self, name: str) -> str:
        """A pod of the stable revision of one of its services."""
        service = self.service(name)
        return service.pod(service.status()["stableRevision"])

    @contextmanager
    def carriers_hang(self) -> Iterator[None]:
        """No carrier answers, so no order gets past its shipment; afterwards they are well again."""
        self._carriers(hang=True)
        try:
            yield
        finally:
            self._carriers(hang=False)

    def _carriers(self, *, hang: bool) -> None:
        told = json.dumps({"delay": "20ms", "failPercent": 0, "hang": hang})
        self.kubectl.exec(self.pod("shipping"), "python3", "-c", CONDITIONS, told)

    def restart(self, pod: str) -> None:
        """Delete the pod of a data service, and wait until the next one serves."""
        before = self.kubectl.the("pod", pod)["metadata"]["uid"]
        self.kubectl.delete("pod", pod)

        def another() -> bool:
            found = self.kubectl.get("pod", pod)
            return found is not None and found["metadata"]["uid"] != before and is_ready(found)

        eventually(another, within=60, every=0.5, what=f"another {pod} is ready")

    def holds(self, *, grace: float = 5, within: float = 60) -> None:
        """Wait until every rule holds: nothing is lost, nothing is stuck."""
        with invariants() as urls:

            def all_holds() -> bool:
                broken = check(urls, grace=grace)
                assert not broken, "; ".join(map(str, broken[:10])) + f" ({len(broken)} in all)"
                return True

            eventually(all_holds, within=within, every=1, what="the shop's invariants hold")


@contextmanager
def invariants() -> Iterator[dict[str, str]]:
    """The databases and the broker, by the role that only reads."""
    with shop_in_cluster(DemoKubectl(CONTEXT, NAMESPACE)) as urls:
        yield urls
