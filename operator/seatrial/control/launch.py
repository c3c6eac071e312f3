"""A service of which nothing is there yet: all its objects in one go.

Each names as owners those that go before it when the service is deleted (`seatrial.render.objects`), and of an owner
the uid must be known. So what goes first is made first, as far as safety lets it: subsets still come before routes, and
both before pods. There is no traffic yet that could meet a half-made service. In the usual order, that of changes, most
objects would be written a second time for their owners alone.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from seatrial.api.names import delegate_name, revision_name
from seatrial.control.cache import Object
from seatrial.control.keys import Key
from seatrial.control.writer import Name, Writer, name_of
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


def names_needed(service: str, revision: int) -> list[tuple[Kind, str]]:
    """What a service's first objects are called, but the Revision: who makes that sees whether it is there."""
    return [
        *((kind, service) for kind in (*_ONE_EACH, VIRTUAL_SERVICE)),
        (VIRTUAL_SERVICE, delegate_name(service)),
        (DEPLOYMENT, revision_name(service, revision)),
    ]


def uids_to_come(objects: Iterable[Object]) -> dict[Name, str]:
    """What stands for the uids of objects that aren't there yet, so that each can be rendered with all its owners."""
    return {name_of(obj): "" for obj in objects}


async def launch(writer: Writer, key: Key, objects: Sequence[Object], free: Collection[Name]) -> None:
    """Make objects that were rendered with `uids_to_come`. Raises `NameTaken`, `Conflict`."""
    uids: dict[Name, str] = {}
    for wave in range(_LAST + 1):
        now = [_owned(obj, uids) for obj in objects if _wave(obj["kind"]) == wave]
        uids |= await writer.put(key, now, {}, free)


def _owned(obj: Object, uids: Mapping[Name, str]) -> Object:
    """The object with those of its owners that are there; they aren't part of the hash of its content."""
    owners = [
        owner | {"uid": uids.get((owner["kind"], owner["name"]), owner["uid"])}
        for owner in obj["metadata"]["ownerReferences"]
    ]
    return obj | {"metadata": obj["metadata"] | {"ownerReferences": [owner for owner in owners if owner["uid"]]}}


def _wave(kind: str) -> int:
    return next((n for n, kinds in enumerate(_WAVES) if kind in kinds), _LAST)
