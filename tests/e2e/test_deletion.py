"""Deletion at every phase of a rollout: what nobody has judged gets nothing, and the end is a clean 404."""

from collections.abc import Callable
from functools import partial

import pytest

from loadtests import Recording
from support.place import PATH, Place
from support.services import Service, carries, phase_of
from support.traffic import go_on, story
from support.waiting import eventually
from support.watching import Watch


def _settled(service: Service, second: Watch) -> None:
    """Nothing is under way."""


def _starting(service: Service, second: Watch) -> None:
    service.apply(env={"RELEASE": "two", "READY": "never"})
    second.until(lambda r: phase_of(r) == "Starting", within=30)


def _shifting(service: Service, second: Watch) -> None:
    second.until(carries(30), within=60)


def _paused(service: Service, second: Watch) -> None:
    service.apply(paused=True)
    second.until(lambda r: phase_of(r) == "Paused", within=30)


def _promoting(service: Service, second: Watch) -> None:
    service.apply(rollout={"hold": "1s"})
    second.until(lambda r: phase_of(r) == "Promoting", within=60)


def _promoted(service: Service, second: Watch) -> None:
    service.apply(rollout={"hold": "1s"})
    second.until(lambda r: phase_of(r) == "Succeeded", within=60)


def _going_back(service: Service, second: Watch) -> None:
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
AT_REST = {"settled", "starting"}
LEFT = "left"


@pytest.fixture(scope="module")
def services(shared: Place) -> dict[str, Service]:
    """A service for each phase and one more, on one host. They start together; most are in mid-rollout then."""
    made = {}
    for name in (*PHASES, LEFT):
        expose = [{"host": shared.edge.host, "prefix": f"/{name}", "rewrite": "/"}]
        made[name] = shared.service(name, expose=expose, shutdown={"grace": "6s"}, rollout={"hold": "600s"})
    shared.kubectl.apply(*(service.manifest for service in made.values()))
    for service in made.values():
        service.await_stable(1)
    moving = [made[name] for name in made if name not in AT_REST]
    for service in moving:
        service.release("two")
    for service in moving:
        service.await_weight(2, 30)
    return made


@pytest.mark.parametrize("name", PHASES)
def test_a_deleted_service_ends_in_a_clean_404(shared: Place, services: dict[str, Service], name: str) -> None:
    service = services[name]
    with shared.load(path=f"/{name}{PATH}") as load, service.watched(2) as second:
        go_on(load, 10)
        PHASES[name](service, second)
        service.kubectl.delete("ms", name, options=["--wait=false"])
        load.until(_says_404(20), within=60)
        eventually(lambda: service.kubectl.get("ms", name) is None, within=30, what="it is gone")
        _clean(load.stop())


def test_nothing_is_left_of_deleted_services(services: dict[str, Service]) -> None:
    """Of those above, which have had some time."""
    for name in PHASES:
        service = services[name]
        service.kubectl.delete("ms", name, options=["--wait=false"])  # where its test wasn't asked for
        eventually(partial(_nothing_left, service), within=60, what=f"all that was {name}'s own is gone")


def test_a_namespace_deleted_in_mid_rollout_goes_away(shared: Place, services: dict[str, Service]) -> None:
    """The one of all tests above, so this is the last."""
    assert services[LEFT].the()["metadata"]["finalizers"], (
        "a rollout is guarded by a finalizer: else this proves nothing"
    )
    shared.goes_away()


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
