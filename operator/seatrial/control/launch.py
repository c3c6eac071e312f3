"""A service of which nothing is there yet: all its objects in one go.

Each names as owners those that go before it when the service is deleted (`seatrial.render.objects`), and of an owner
the uid must be known. So what goes first is made first, as far as safety lets it: subsets still come before routes, and
both before pods. There is no traffic yet that could meet a half-made service. In the usual order, that of changes, most
objects would be written a second time for their owners alone.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import count

from seatrial.api.names import delegate_name, revision_name
from seatrial.control.cache import Object
from seatrial.control.keys import Key
from seatrial.control.writer import Name, Writer
from seatrial.kube.kinds import (
    AUTHORIZATION_POLICY,
    DEPLOYMENT,
    DESTINATION_RULE,
    NETWORK_POLICY,
    SERVICE,
    SERVICE_ACCOUNT,
    SIDECAR,
    VIRTUAL_SERVICE,
    Kind,
)

_ONE_EACH = (SERVICE_ACCOUNT, SERVICE, NETWORK_POLICY, SIDECAR, AUTHORIZATION_POLICY, DESTINATION_RULE)
_WAVES = (
    frozenset({"DestinationRule", "VirtualService"}),
    frozenset({"Service"}),
    frozenset({"ServiceAccount", "NetworkPolicy", "Sidecar", "AuthorizationPolicy", "Job", "Deployment"}),
)
_LAST = len(_WAVES)

Render = Callable[[Mapping[Name, str]], Sequence[Object]]


def names_needed(service: str, revision: int) -> list[tuple[Kind, str]]:
    """What a service's first objects are called, but the Revision: who makes that sees whether it is there."""
    return [
        *((kind, service) for kind in (*_ONE_EACH, VIRTUAL_SERVICE)),
        (VIRTUAL_SERVICE, delegate_name(service)),
        (DEPLOYMENT, revision_name(service, revision)),
    ]


async def launch(writer: Writer, key: Key, render: Render, free: Collection[Name]) -> None:
    """Make what `render` gives, which is told the uids of what is there. Raises `NameTaken`, `Conflict`."""
    uids: dict[Name, str] = {}
    for wave in range(_LAST + 1):
        uids |= await writer.put(key, [o for o in render(uids) if _wave(o["kind"]) == wave], {}, free)


def _wave(kind: str) -> int:
    return next((n for n, kinds in zip(count(), _WAVES, strict=False) if kind in kinds), _LAST)
