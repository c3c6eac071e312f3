"""Deletion at every phase of a rollout: what nobody has judged gets nothing, and the end is a clean 404."""

from collections.abc import Callable

import pytest

from loadtests import Recording
from support.place import Place, in_mid_rollout
from support.services import Service, carries, phase_of
from support.traffic import go_on, nothing_lost, story
from support.waiting import eventually
from support.watching import Watch


def _settled(service: Service, second: Watch) -> None:
    """Nothing is under way."""


def _starting(service: Service, second: Watch) -> None:
    service.apply(env={"RELEASE": "two", "READY": "never"})
    second.until(lambda r: phase_of(r) == "Starting", within=30)


def _shifting(service: Service, second: Watch) -> None:
    service.release("two")
    second.until(carries(30), within=60)


def _paused(service: Service, second: Watch) -> None:
    _shifting(service, second)
    service.apply(paused=True)
    second.until(lambda r: phase_of(r) == "Paused", within=30)


def _promoting(service: Service, second: Watch) -> None:
    service.release("two")
    second.until(lambda r: phase_of(r) == "Promoting", within=60)


def _promoted(service: Service, second: Watch) -> None:
    service.release("two")
    second.until(lambda r: phase_of(r) == "Succeeded", within=60)


def _going_back(service: Service, second: Watch) -> None:
    _shifting(service, second)
    service.release("one")
    second.until(lambda r: phase_of(r) == "RollingBack", within=30)


PHASES = {
    "settled": _settled,
    "starting": _starting,
    "shifting": _shifting,
    "paused": _paused,
    "promoting": _promoting,
    "promoted": _promoted,
    "going-back": _going_back,
}


@pytest.fixture(scope="module")
def services(shared: Place) -> dict[str, Service]:
    """A service for each phase, on one host."""
    made = {}
    for name in PHASES:
        expose = [{"host": shared.edge.host, "prefix": f"/{name}", "rewrite": "/"}]
        made[name] = shared.service(name, expose=expose, shutdown={"grace": "6s"}, rollout={"hold": "3s"})
    shared.kubectl.apply(*(service.manifest for service in made.values()))
    for service in made.values():
        service.await_stable(1)
    return made


@pytest.mark.parametrize("name", PHASES)
def test_a_deleted_service_ends_in_a_clean_404(shared: Place, services: dict[str, Service], name: str) -> None:
    service = services[name]
    with shared.load(path=f"/{name}/v1/identity") as load, service.watched(2) as second:
        go_on(load, 10)
        PHASES[name](service, second)
        service.kubectl.delete("ms", name, options=["--wait=false"])
        load.until(_says_404(20), within=60)
        eventually(lambda: service.kubectl.get("ms", name) is None, within=30, what="it is gone")
        eventually(lambda: _nothing_left(service), within=60, what="all that was its own is gone")
        _clean(load.stop())


def test_a_service_deleted_without_its_children_goes_on_serving_with_the_stable_revision(place: Place) -> None:
    service = place.service("orders", rollout={"hold": "20s"})
    service.apply()
    service.await_stable(1)
    with place.load() as load:
        service.release("two")
        service.await_weight(2, 30)
        service.kubectl.delete("ms", "orders", options=["--cascade=orphan", "--wait=false"])
        eventually(lambda: service.kubectl.get("ms", "orders") is None, within=30, what="it is gone")
        go_on(load, 150)
        seen = load.stop()
    nothing_lost(seen)
    assert {r.revision_of("orders") for r in seen.requests[-100:]} == {1}
    assert service.weights() == {"r1": 100}
    assert [p["status"]["phase"] for p in service.pods(1)] == ["Running"]


def test_a_namespace_deleted_in_mid_rollout_goes_away(place: Place) -> None:
    in_mid_rollout(place, grace="3s")
    place.goes_away()


def _says_404(count: int) -> Callable[[Recording], bool]:
    return lambda seen: len(seen.requests) > count and all(r.status == 404 for r in seen.requests[-count:])


def _clean(seen: Recording) -> None:
    """Answers up to one moment, 404 from the edge itself afterwards, and never anything else."""
    assert not seen.lost, story(seen)
    by_end = sorted(seen.requests, key=lambda r: r.started)
    first = next(i for i, r in enumerate(by_end) if r.status == 404)
    assert all(r.status == 200 for r in by_end[:first])
    last = max(i for i, r in enumerate(by_end) if r.status == 200)
    mixed = by_end[last].started - by_end[first].started
    assert mixed < 0.5, f"200 and 404 by turns for {mixed:.1f} s"
    assert all(not r.served_by for r in by_end if r.status == 404), "a service answered 404, not the edge"


def _nothing_left(service: Service) -> bool:
    kinds = "deployments,services,pods,virtualservices,destinationrules,authorizationpolicies,sidecars,revisions"
    left = service.kubectl.list(kinds, f"seatrial.dev/service={service.name}")
    assert not left, [f"{o['kind']} {o['metadata']['name']}" for o in left]
    return True
