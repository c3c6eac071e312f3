"""An analysed rollout whose istiod is gone: it goes on where it was."""

from typing import Any

import pytest

from support.operators import Operators
from support.place import Place
from support.restarts import ControlPlane
from support.services import Service, carries, is_ready, phase_of
from support.traffic import go_on, nothing_lost

RATE = 40


def test_an_analysed_step_outlasts_an_istiod_that_is_gone(place: Place, control_plane: ControlPlane) -> None:
    service = judged(place, hold="3s", progressDeadline="300s")
    with place.load(rate=RATE) as load, service.watched(2) as second:
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


def judged(place: Place, **rollout: Any) -> Service:
    """A service at rest, whose next revision is sure after some dozens of requests."""
    rollout = {"steps": [30], "analysis": {"toleratePercentPoints": 5}, **rollout}
    service = place.actor("orders", replicas=1, rollout=rollout)
    service.apply()
    service.await_stable(1)
    return service
