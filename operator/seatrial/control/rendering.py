"""The renderer with a memory: most passes change nothing, and what nothing has changed of isn't rendered again.

What is at rest is passed once in minutes: its objects are forgotten, and memory is for those where something goes on.
"""

from collections.abc import Sequence

from seatrial.control.cache import Object
from seatrial.control.keys import ServiceKey
from seatrial.render import Inputs, render


class Rendering:
    """Keeps the objects of each service with what they were made of. Nobody may change them."""

    def __init__(self) -> None:
        self._made: dict[ServiceKey, tuple[object, Sequence[Object]]] = {}

    def of(self, key: ServiceKey, inputs: Inputs) -> Sequence[Object]:
        """The objects in the order to apply them."""
        made_of = _made_of(inputs)
        known = self._made.get(key)
        if known is None or known[0] != made_of:
            known = self._made[key] = (made_of, render(inputs))
        return known[1]

    def forget(self, key: ServiceKey) -> None:
        """Drop what is remembered of a service that is at rest, or gone."""
        self._made.pop(key, None)


def _made_of(inputs: Inputs) -> object:
    """All that the renderer reads: of a service its spec and its name, of revisions what they froze; no status."""
    service = inputs.service
    return (
        (inputs.namespace, inputs.name, service.metadata.uid),
        service.spec,
        {number: revision.spec for number, revision in inputs.revisions.items()},
        inputs.routing,
        dict(inputs.scales),
        inputs.migrate,
        dict(inputs.live),
        dict(inputs.callees),
        inputs.fencing,
    )
