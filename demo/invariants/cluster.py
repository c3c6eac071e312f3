"""The shop of the cluster: its databases and its broker on ports of this machine, and the role that only reads.

kubectl's port-forward ends inside the pod, behind its sidecar, so it needs no identity of the mesh: who may do this is
for the API server to say.
"""

import base64
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from demo.kubectl import DemoError, Kubectl

READER = "invariants"
SERVICES = ("orders", "inventory", "payments", "bank", "shipping", "notifications")


@contextmanager
def shop_in_cluster(kubectl: Kubectl) -> Iterator[dict[str, str]]:
    """Yield the URLs of the shop's databases and broker, for as long as the block lasts."""
    secret = kubectl.get("secret", f"{READER}-database")
    if secret is None:
        raise DemoError(f"the namespace {kubectl.namespace} has no Secret {READER}-database", "make shop")
    password = base64.b64decode(secret["data"]["PASSWORD"]).decode()
    with ExitStack() as forwarded:
        postgres = forwarded.enter_context(forward(kubectl, "statefulset/postgres", 5432))
        broker = forwarded.enter_context(forward(kubectl, "statefulset/nats", 4222))
        databases = {name: f"postgresql://{READER}:{password}@127.0.0.1:{postgres}/{name}" for name in SERVICES}
        yield {**databases, "nats": f"nats://127.0.0.1:{broker}"}


@contextmanager
def forward(kubectl: Kubectl, target: str, port: int) -> Iterator[int]:
    """Yield a port of this machine that leads to a pod's, chosen by the system."""
    argv = kubectl.argv("port-forward", "--address=127.0.0.1", target, f":{port}")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            found = re.search(r"127\.0\.0\.1:(\d+) ->", said)
            if found is None:
                raise DemoError(
                    f"kubectl port-forward {target}: {said.strip()}", f"kubectl -n {kubectl.namespace} get pods"
                )
            yield int(found[1])
        finally:
            process.terminate()
