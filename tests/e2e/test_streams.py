"""Long answers over a promotion: they go on where they began, and those that had to be cut are counted and named."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from support.endless import Endless
from support.place import Place
from support.services import Service
from support.traffic import nothing_lost
from support.waiting import always, eventually

KINDS = ("", "websocket")  # in chunks, and upgraded
AT_ONCE = {"strategy": "none", "steps": None, "analysis": None, "hold": "1s"}


def test_streams_end_when_their_clients_do_and_then_the_old_pods_go(place: Place) -> None:
    service = served(place, drain="300s")
    with place.load() as load, streams(service) as old:
        service.apply(env={"RELEASE": "two"})
        service.await_stable(2)
        always(lambda: all(s.goes_on for s in old), lasting=5, what="streams go on with the pods of revision 1")
        with streams(service) as new:
            assert {s.revision for s in new} == {2}
        assert service.pods(1), "their pods went while streams were under way"
        for stream in old:
            stream.close()
        eventually(lambda: not service.pods(1), within=30, what="the old pods are gone")
        nothing_lost(load.stop(), least=100)
    assert not cut(place)


def test_streams_that_outlast_the_drain_are_cut_and_counted(place: Place) -> None:
    service = served(place, drain="8s")
    with place.load() as load, streams(service) as old:
        service.apply(env={"RELEASE": "two"})
        service.await_stable(2)
        eventually(lambda: not any(s.goes_on for s in old), within=60, what="they are cut")
        nothing_lost(load.stop(), least=100)
    told = eventually(lambda: cut(place), within=10, what="an Event tells of it")
    assert told == [f"revision 1 still had {len(KINDS)} requests or streams after 8s: cut"]


def served(place: Place, *, drain: str) -> Service:
    """At rest; a route's timeout would end streams, too."""
    shutdown = {"drain": drain, "grace": "3s"}
    service = place.actor("orders", replicas=1, rollout=AT_ONCE, shutdown=shutdown, traffic={"timeout": "0s"})
    service.apply()
    service.await_stable(1)
    return service


@contextmanager
def streams(service: Service) -> Iterator[list[Endless]]:
    """One of each kind."""
    with ExitStack() as stack:
        yield [stack.enter_context(Endless(service.host, upgrade=kind)) for kind in KINDS]


def cut(place: Place) -> list[str]:
    """What Events say of streams that were cut."""
    events = place.kubectl.list("events")
    return [e.get("message") or e.get("note", "") for e in events if e["reason"] == "DrainCut"]
