"""Rollouts with hardly any traffic, or none any more: nothing is concluded from silence unless somebody asks for it."""

from typing import Any

from support.place import Place
from support.sailing import sail
from support.services import Service
from support.traffic import go_on, nothing_lost
from support.waiting import always


def test_one_request_a_second_is_enough_for_rules_that_ask_for_little(place: Place) -> None:
    service = judged(place, steps=[50], minRequests=5, toleratePercentPoints=40)
    with place.load(rate=1) as load:
        attempt = sail(service, 2, load, settled=3, env={"RELEASE": "two"}).attempt
        nothing_lost(load.stop(), least=10)
    assert attempt["phase"] == "Succeeded", attempt["decision"]
    errors = next(slo for slo in attempt["evidence"]["slos"] if slo["name"] == "errors")
    assert errors["canary"]["total"] >= 5


def test_traffic_that_stops_in_the_middle_ends_as_the_user_chooses(place: Place) -> None:
    service = judged(place, steps=[30], minRequests=100_000, stepTimeout="6s")
    with place.load() as load:
        service.apply(env={"RELEASE": "two"})
        service.await_weight(2, 30)
        go_on(load, 30)
        nothing_lost(load.stop())
    always(lambda: service.attempt(2)["phase"] == "Shifting", lasting=8, what="it waits")
    assert service.weights() == {"r1": 70, "r2": 30}
    service.apply(rollout={"analysis": {"onNoTraffic": "pause"}})
    paused = service.await_phase(2, "Paused")
    assert "too few to judge" in paused["history"][-1]["reason"], paused["history"][-1]
    service.apply(rollout={"analysis": {"onNoTraffic": "promote"}})
    assert service.attempt(2)["phase"] == "Paused", "what was held goes on by itself"
    place.seatrial("resume", "orders")
    service.await_stable(2)


def judged(place: Place, *, steps: list[int], **analysis: Any) -> Service:
    """At rest."""
    service = place.actor("orders", replicas=1, rollout={"steps": steps, "hold": "1s", "analysis": analysis})
    service.apply()
    service.await_stable(1)
    return service
