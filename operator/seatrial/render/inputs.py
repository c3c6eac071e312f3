"""What the renderer is given: everything that decides how the objects of one MeshService look."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from seatrial.api.meshservice import MeshService
from seatrial.api.names import LABEL_SERVICE
from seatrial.api.revision import Revision
from seatrial.render.objects import Live
from seatrial.rollout.world import Routing


@dataclass(frozen=True)
class Callee:
    """What is known of a service that is called: labels of its pods, and the ports they listen on (empty: all).

    A MeshService's pods carry its name as a label; of a plain Service it is the selector.
    """

    selector: Mapping[str, str]
    target_ports: tuple[int, ...] = ()

    @classmethod
    def mesh_service(cls, name: str) -> "Callee":
        """A MeshService, or one that isn't there yet."""
        return cls({LABEL_SERVICE: name})


@dataclass(frozen=True)
class Inputs:
    """One MeshService with its accepted spec (and its uid), and what was decided for it.

    `revisions` by number; `scales` the replicas of each Deployment that shall exist; `migrate` the revisions whose
    migration job shall exist; `live` has the uids of objects of ours that exist, by kind and name; `callees` what is
    known of the services in `calls`, by namespace and name (None, or not in it: nothing); `fencing` the number of the
    Lease's holder that writes.
    """

    service: MeshService
    revisions: Mapping[int, Revision]
    routing: Routing
    scales: Mapping[int, int]
    migrate: tuple[int, ...] = ()
    live: Live = field(default_factory=dict)
    callees: Mapping[tuple[str, str], Callee | None] = field(default_factory=dict)
    fencing: int = 0

    @property
    def name(self) -> str:
        """Of the MeshService, and of most of its objects."""
        return self.service.metadata.name

    @property
    def namespace(self) -> str:
        """Where all of its objects are."""
        return self.service.metadata.namespace
