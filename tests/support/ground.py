"""A namespace of the cluster's API server and a client for it: for tests of the code that talks to the API."""

from dataclasses import dataclass
from typing import Any

from seatrial.kube.client import Kube


@dataclass(frozen=True)
class Ground:
    """A namespace that no operator manages."""

    kube: Kube
    namespace: str

    def config(self, name: str = "one", **data: str) -> dict[str, Any]:
        """A ConfigMap."""
        metadata = {"name": name, "namespace": self.namespace, "labels": {"team": "sea"}}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
