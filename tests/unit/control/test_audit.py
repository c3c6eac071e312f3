from typing import Any

from seatrial.control.audit import hide_what_is_gone
from seatrial.control.cache import Cache
from seatrial.control.watches import Watches
from seatrial.kube.client import Kube
from seatrial.kube.credentials import Credentials
from seatrial.kube.kinds import DEPLOYMENT, MESH_SERVICE, POD, Kind


class Cluster(Kube):
    """Has what it is given."""

    def __init__(self, *there: dict[str, Any]) -> None:
        self._there = there

    async def uids(self, kind: Kind, **_: object) -> set[str]:
        return {o["metadata"]["uid"] for o in self._there if o["kind"] == kind.name}


def an_object(kind: Kind, uid: str) -> dict[str, Any]:
    return {"kind": kind.name, "metadata": {"namespace": "shop", "name": f"orders-{uid}", "uid": uid}}


async def test_whatever_no_watch_said_the_end_of_is_forgotten() -> None:
    kinds = (MESH_SERVICE, POD, DEPLOYMENT)
    known = {kind: [an_object(kind, f"{kind.plural}-{n}") for n in (1, 2)] for kind in kinds}
    cache = Cache({kind.plural: {("shop", "orders"): objects} for kind, objects in known.items()})
    assert await hide_what_is_gone(Cluster(*(objects[0] for objects in known.values())), cache) == 3
    for kind, objects in known.items():
        assert list(cache.all(kind)) == objects[:1]


def test_a_watch_that_begins_anew_is_noticed_by_what_it_lists_again() -> None:
    watches = Watches(lease="seatrial", login=lambda: Credentials(""), add=lambda _: None, beat=lambda: None)
    for event in (None, "MODIFIED", "DELETED", None, "ADDED"):
        watches.told("uid", event)
        assert not watches.begun_anew.is_set()
    watches.told("uid", None)
    assert watches.begun_anew.is_set()
