"""Rollouts that are decided by what is seen: a bad revision goes back, a good one goes on, silence is no evidence.

Each revision plays a part that its environment gives it (`support.actor`). Nothing here asserts how fast a decision
comes, only which one and that it comes; figures are for tests/bench/rollout.
"""

from typing import Any

from loadtests import Recording
from support.place import Place
from support.sailing import sail
from support.services import Service, phase_of
from support.traffic import go_on, nothing_lost, story
from support.waiting import eventually

EASY = {"steps": [30], "hold": "2s", "analysis": {"toleratePercentPoints": 5}}  # sure after some dozens of requests
RATE = 40


def test_a_revision_that_fails_is_taken_back_and_the_numbers_are_told(place: Place) -> None:
    service = served(place)
    with place.load(rate=RATE) as load:
        sailing = sail(service, 2, load, env={"ERRORS": "0.3"})
        after = last(go_on(load, 60), 50)
    attempt = sailing.attempt
    assert attempt["phase"] == "RolledBack", attempt["decision"]
    assert "requests failed" in attempt["decision"]
    assert " of " in attempt["decision"]
    assert "worse by at least" in attempt["decision"] or "% allowed at" in attempt["decision"]
    assert any(attempt["decision"] in said for said in messages(place)), "no Event has the sentence"
    assert sailing.exposure.answers > 0
    assert served_by(after) == {1}
    assert {r.revision_of("orders") for r in load.snapshot().lost} <= {2}, "stable's users were harmed"
    assert service.weights() == {"r1": 100}


def test_attempts_that_retries_hide_from_users_count_against_a_revision(place: Place) -> None:
    retries = {"attempts": 3, "perTryTimeout": "2s", "retryOn": ["gateway-error"]}
    service = served(place, traffic={"retries": retries})
    with place.load(rate=RATE) as load:
        sailing = sail(service, 2, load, env={"ERRORS": "0.5", "ERROR_CODE": "503"})
    assert sailing.attempt["phase"] == "RolledBack", sailing.attempt["decision"]
    slos = {slo["name"]: slo for slo in sailing.attempt["evidence"]["slos"]}
    assert slos["attempts"]["canary"]["bad"] > slos["errors"]["canary"]["bad"]


def test_a_good_revision_gets_all_traffic_and_loses_nothing(place: Place) -> None:
    service = served(place, rollout=EASY)
    with place.load(rate=RATE) as load:
        sailing = sail(service, 2, load, env={"RELEASE": "two"})
        service.await_stable(2)
        go_on(load, 50)
        nothing_lost(load.stop(), least=200)
    assert sailing.attempt["phase"] == "Succeeded", sailing.attempt["decision"]
    assert [e["weight"] for e in sailing.attempt["history"] if e["weight"]][:2] == [30, 100]
    errors = next(slo for slo in sailing.attempt["evidence"]["slos"] if slo["name"] == "errors")
    assert errors["canary"]["total"] >= 50
    assert errors["canary"]["bad"] == 0
    service.kubectl("wait", "--for=condition=Succeeded", "rev/orders-2", "--timeout=10s")


def test_without_traffic_a_revision_waits_for_verbs_each_of_which_does_what_it_says_once(place: Place) -> None:
    service = served(place)
    service.apply(env={"RELEASE": "two"})
    service.await_weight(2, 10)

    def waits() -> bool:
        evidence = service.attempt(2).get("evidence") or {}
        assert evidence.get("verdict") == "NoData", evidence
        return True

    eventually(waits, within=60, what="no data is the verdict")
    assert phase_of(service.revision(2)) == "Shifting"
    assert "no request" in place.seatrial("status", "orders").lower()
    place.seatrial("pause", "orders")
    service.await_phase(2, "Paused")
    place.seatrial("resume", "orders")
    service.await_phase(2, "Shifting")
    place.seatrial("abort", "orders")
    service.await_phase(2, "Aborted")
    service.await_stable(1)
    place.seatrial("retry", "orders")
    service.await_weight(2, 10)
    place.seatrial("promote", "orders")
    service.kubectl("wait", "--for=condition=Succeeded", "rev/orders-2", "--timeout=90s", timeout=100)
    service.await_stable(2)
    place.seatrial("rollback", "orders", "--to", "1")
    service.await_stable(1)
    assert phases(service, 2) == ["Aborted", "Succeeded"]
    assert phases(service, 1) == ["Succeeded", "Succeeded"]
    for number in (1, 2):
        revision = service.revision(number)
        assert "seatrial.dev/verb" not in revision["metadata"].get("annotations", {})
        assert revision["status"]["answer"]["done"]


def served(place: Place, **spec: Any) -> Service:
    """A service whose first revision serves."""
    service = place.actor("orders", replicas=1, **spec)
    service.apply()
    service.await_stable(1)
    return service


def phases(service: Service, number: int) -> list[str]:
    """Of all attempts of a revision."""
    return [attempt["phase"] for attempt in service.revision(number)["status"]["attempts"]]


def messages(place: Place) -> list[str]:
    """What the Events of the namespace say."""
    return [event.get("message") or event.get("note", "") for event in place.kubectl.list("events")]


def last(seen: Recording, count: int) -> Recording:
    """The last requests of a load."""
    return Recording(seen.requests[-count:])


def served_by(seen: Recording) -> set[int | None]:
    """Revisions that answered; a failed request has none."""
    assert not seen.failed, story(seen)
    return {r.revision_of("orders") for r in seen.requests}
