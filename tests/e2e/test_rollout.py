"""A change of template on its way to all of the traffic, and back, while users ask."""

from dataclasses import dataclass

import pytest

from loadtests import Recording
from support.kubectl import Object
from support.place import Place
from support.services import Service, attempt_of, carries, name_of, phase_of, uid_of, unix
from support.traffic import fits, go_on, nothing_lost
from support.waiting import eventually

STEPS = (20, 60)
HOLD = 6.0


@dataclass(frozen=True)
class Voyage:
    """A whole rollout from revision 1 to 2: what users saw, and every state of Revision 2."""

    service: Service
    seen: Recording
    states: list[Object]
    pods_on_the_way: list[Object]

    def step(self, weight: int) -> tuple[float, float]:
        """Unix times between which all callers' proxies carried a weight and the next one wasn't asked for yet."""
        attempts = [attempt_of(state) for state in self.states]
        since = next(
            a["verifiedSince"] for a in attempts if a.get("verifiedSince") and a["weight"]["verified"] == weight
        )
        entries = attempts[-1]["history"]
        later = (e["at"] for e in entries if e["weight"] > weight)
        return unix(since), unix(next(later, attempts[-1]["endedAt"]))


@pytest.fixture(scope="module")
def voyage(shared: Place) -> Voyage:
    service = shared.service("orders", replicas=2, rollout={"steps": list(STEPS), "hold": f"{HOLD:g}s"})
    service.apply()
    service.await_stable(1)
    with shared.load(rate=40) as load, service.watched(2) as watch:
        service.release("two")
        watch.until(lambda r: attempt_of(r).get("weight", {}).get("wanted") == STEPS[-1], within=60)
        on_the_way = service.pods(2)
        watch.until(lambda r: phase_of(r) == "Succeeded", within=60, what="orders-2 is promoted")
        go_on(load, 100)
        seen = load.stop()
    return Voyage(service, seen, watch.seen, on_the_way)


def test_a_rollout_loses_no_request(voyage: Voyage) -> None:
    nothing_lost(voyage.seen, least=400)


@pytest.mark.parametrize("weight", STEPS)
def test_each_step_gets_the_share_that_was_asked_for(voyage: Voyage, weight: int) -> None:
    since, until = voyage.step(weight)
    fits(voyage.seen.between(since, until), "orders", 2, weight)


@pytest.mark.parametrize("weight", STEPS)
def test_a_step_is_held_from_the_moment_the_proxies_carry_it(voyage: Voyage, weight: int) -> None:
    since, until = voyage.step(weight)
    assert until - since >= HOLD


def test_before_the_first_step_and_after_the_last_there_is_one_revision(voyage: Voyage) -> None:
    first = next(unix(e["at"]) for e in attempt_of(voyage.states[-1])["history"] if e["weight"] > 0)
    assert set(voyage.seen.between(0, first).split("orders").counts) == {1}
    promoted = unix(attempt_of(voyage.states[-1])["endedAt"])
    assert set(voyage.seen.between(promoted, promoted + 3600).split("orders").counts) == {2}


def test_promotion_redeploys_nothing(voyage: Voyage) -> None:
    on_the_way = {uid_of(p) for p in voyage.pods_on_the_way}
    now = {uid_of(p): p for p in voyage.service.pods(2)}
    assert on_the_way
    assert on_the_way <= set(now), "a pod that carried the last step isn't there any more"
    statuses = [c for p in now.values() for c in p["status"]["containerStatuses"]]
    assert all(c["restartCount"] == 0 for c in statuses)


def test_the_old_revision_is_drained_and_kept_without_pods(voyage: Voyage) -> None:
    service = voyage.service

    def drained() -> bool:
        old = service.kubectl.the("deployment", "orders-1")
        rule = service.kubectl.the("destinationrule", "orders")
        return old["spec"]["replicas"] == 0 and [s["name"] for s in rule["spec"]["subsets"]] == ["r2"]

    eventually(drained, within=60)
    assert service.revision(1)["status"]["role"] == "Kept"


def test_applying_the_old_template_again_goes_back_to_its_revision(voyage: Voyage, shared: Place) -> None:
    service = voyage.service
    service.await_stable(2)
    with shared.load() as load:
        service.apply(env={"RELEASE": "one"}, rollout={"steps": [50], "hold": "1s"})
        service.await_stable(1)
        nothing_lost(load.stop(), least=50)
    assert {name_of(r) for r in service.kubectl.list("rev")} == {"orders-1", "orders-2"}
    assert [a["phase"] for a in service.revision(1)["status"]["attempts"]] == ["Succeeded", "Succeeded"]


def test_a_change_during_a_rollout_goes_back_to_stable_before_it_starts(place: Place) -> None:
    service = place.service("orders", rollout={"steps": [30], "hold": "4s"})
    service.apply()
    service.await_stable(1)
    with place.load() as load, service.watched(2) as second:
        service.release("two")
        second.until(carries(30), within=60, what="30 %")
        service.release("three")
        service.await_stable(3)
        nothing_lost(load.stop(), least=100)
    superseded, taken_over = service.attempt(2), service.attempt(3)
    assert superseded["phase"] == "Superseded"
    assert superseded["history"][-1]["weight"] == 0
    assert unix(superseded["endedAt"]) <= unix(taken_over["startedAt"])


def test_a_revision_that_never_becomes_ready_never_gets_a_request(place: Place) -> None:
    service = place.service("orders")
    service.apply()
    service.await_stable(1)
    with place.load() as load:
        service.apply(env={"RELEASE": "two", "READY": "never"}, rollout={"progressDeadline": "8s"})
        failed = service.await_phase(2, "Failed")
        nothing_lost(load.stop(), least=100)
    assert set(load.snapshot().split("orders").counts) == {1}
    assert "not ready within 8s" in failed["decision"]
    assert service.is_ready(), "the stable revision goes on serving"
    assert service.weights() == {"r1": 100}
