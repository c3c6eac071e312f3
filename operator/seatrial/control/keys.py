"""What a pass is about: one MeshService, or what the MeshServices of a namespace share on the mesh's edges."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ServiceKey:
    """A MeshService and all that is its own."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class HostsKey:
    """Gateways, root routes and outside hosts of a namespace."""

    namespace: str

    def __str__(self) -> str:
        return f"hosts of {self.namespace}"


Key = ServiceKey | HostsKey
