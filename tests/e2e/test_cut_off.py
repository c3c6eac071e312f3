"""Proxies that nothing can be told: what was written isn't what they carry, and a rollout says whose it waits for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from support.kubectl import Object
from support.node import signal_pod
from support.operators import Operators
from support.place import Place
from support.restarts import ControlPlane
from support.services import Service, attempt_of, is_ready, phase_of, uid_of
from support.traffic import go_on, nothing_lost
from support.waiting import always

AGENT = "pilot-agent"  # a sidecar's own process that talks to istiod for its Envoy


def test_a_rollout_waits_for_a_caller_that_istiod_cannot_reach_and_says_whose_it_is(place: Place) -> None:
    callers = [{"ingress": {}}, {"service": "front"}]
    service = place.service("orders", rollout={"steps": [30], "hold": "2s"}, security={"callers": callers})
    service.apply()
    front = place.taker("front", takes="orders", replicas=1)
    front.apply()
    service.await_stable(1)
    front.await_stable(1)
    caller = front.pod()
    with place.load() as load, service.watched(2) as second:
        with cut_off(front):
            service.release("two")
            second.until(lambda r: names(r, caller), within=60, what="it says whom it waits for")
            always(lambda: phase_of(service.revision(2)) == "Starting", lasting=4, what="it gets no traffic")
        second.until(carries(30), within=60, what="30 %")
        with cut_off(front):
            second.until(lambda r: phase_of(r) == "Promoting" and names(r, caller), within=60, what="it waits again")
            always(lambda: [p for p in service.pods(1) if is_ready(p)], lasting=4, what="the old pods stay")
        second.until(lambda r: phase_of(r) == "Succeeded", within=60, what="it is promoted")
        service.await_stable(2)
        nothing_lost(load.stop(), least=200)


def test_an_analysed_step_outlasts_an_istiod_that_is_gone(place: Place, control_plane: ControlPlane) -> None:
    analysis = {"toleratePercentPoints": 5}
    rollout = {"steps": [30], "hold": "3s", "progressDeadline": "300s", "analysis": analysis}
    service = place.actor("orders", rollout=rollout)
    service.apply()
    service.await_stable(1)
    with place.load(rate=40) as load, service.watched(2) as second:
        service.apply(env={"RELEASE": "two"})
        second.until(carries(30), within=60, what="30 %")
        with control_plane.without_istiod():
            go_on(load, 200)
            attempt = service.attempt(2)
            assert attempt["weight"]["verified"] == 30, f"nobody can have carried more: {attempt['weight']}"
            assert [p for p in service.pods(1) if is_ready(p)], "the old pods went"
        second.until(lambda r: phase_of(r) == "Succeeded", within=120, what="it is promoted")
        service.await_stable(2)
        nothing_lost(load.stop(), least=200)


@pytest.fixture
def control_plane(place: Place, operators: Operators) -> ControlPlane:
    """What is taken away."""
    return ControlPlane(place.kubectl, operators)


@contextmanager
def cut_off(service: Service) -> Iterator[None]:
    """Have the proxy of a service's pod hear nothing from istiod while the block lasts; it goes on serving."""
    uid = uid_of(service.pods()[0])
    signal_pod(uid, "STOP", AGENT)
    try:
        yield
    finally:
        signal_pod(uid, "CONT", AGENT)


def names(revision: Object, pod: str) -> bool:
    """Whether it says that it waits for a pod's proxy."""
    return pod in revision.get("status", {}).get("message", "")


def carries(weight: int) -> Callable[[Object], bool]:
    """A weight that all callers carry."""
    return lambda revision: bool(attempt_of(revision).get("weight", {}).get("verified") == weight)
