"""Consumers without ports, which nobody calls: their steps are shares of replicas, and of what each takes."""

import json
from collections import Counter

import pytest

from support.place import Place
from support.services import Service, attempt_of, carries, is_ready, phase_of
from support.waiting import always, eventually
from support.watching import Watch

TAKEN = 60  # messages, after which a share can be told
SHOWN_WITHIN = 120.0  # seconds; mostly a second, but a kubelet that misses a change sees it only when it syncs next


@pytest.fixture(scope="module")
def consumer(shared: Place) -> Service:
    """It takes from `queue`, which counts who takes; its first revision is stable."""
    callers = [{"service": "orders"}, {"ingress": {}}]
    queue = shared.service("queue", security={"callers": callers})
    queue.apply()
    service = shared.taker("orders", takes="queue", rollout={"steps": [25, 50], "hold": "600s"})
    service.apply()
    queue.await_stable(1)
    service.await_stable(1)
    return service


def test_a_canary_consumer_takes_nothing_at_0_and_its_share_afterwards(shared: Place, consumer: Service) -> None:
    """Its replicas are shared by the steps, and are never too few."""
    service, shares = consumer, {}
    service.apply(env={"RELEASE": "two"}, paused=True)
    eventually(lambda: [p for p in service.pods(2) if is_ready(p)], within=60, what="a pod of revision 2 is ready")
    assert told(service, 2) == {("canary", "0")}
    assert taken(shared, during=TAKEN)["2"] == 0, "it took what nobody gave it"

    with service.watched(2) as second:
        service.apply(paused=False)
        shares[25] = pods_at(25, service, second)
        assert told(service, 2) == {("canary", "100")}, "one pod of four does a quarter"
        took = taken(shared, during=TAKEN)
        assert 0 < took["2"] < took["1"], took
        service.apply(rollout={"hold": "10s"})  # it has been held for longer, or soon will be
        second.until(lambda r: attempt_of(r).get("weight", {}).get("wanted") == 50, within=60, what="50 % is wanted")
        service.apply(rollout={"hold": "600s"})
        shares[50] = pods_at(50, service, second)
        shared.seatrial("promote", "orders")
        shares[100] = pods_at(100, service, second)
        second.until(lambda r: phase_of(r) == "Succeeded", within=90, what="it is promoted")
    service.await_stable(2)
    assert shares == {25: 1, 50: 2, 100: 4}
    assert told(service, 2) == {("stable", "100")}
    eventually(lambda: not service.pods(1), within=60, what="the old pods are gone")
    assert taken(shared, during=TAKEN)["1"] == 0


def test_a_consumer_that_crashes_is_taken_back(consumer: Service) -> None:
    service = consumer
    stable = service.status()["stableRevision"]
    crashing = stable + 1
    service.apply(env={"CRASH": "10"}, rollout={"steps": [50]})
    attempt = service.await_phase(crashing, "RolledBack", within=150)
    assert "exit code 1" in attempt["decision"], attempt["decision"]
    service.await_stable(stable)
    eventually(lambda: not service.pods(crashing), within=60, what="its pods are gone")
    eventually(lambda: ready(service) == 4, within=60, what="four pods of the stable revision are back")


def taken(place: Place, *, during: int) -> Counter[str]:
    """Who took how many of the next so many."""

    def so_far() -> Counter[str]:
        return Counter(json.loads(place.edge.get("/takers").body))

    before = so_far()
    after = eventually(
        lambda: now if (now := so_far()).total() - before.total() >= during else None,
        within=60,
        what=f"{during} more are taken",
    )
    assert after is not None
    return after - before


def told(service: Service, number: int) -> set[tuple[str, str]]:
    """Role and weight, as the file in its pods has them, once it agrees with what the operator wrote on them."""
    names = ("seatrial.dev/role", "seatrial.dev/weight")

    def agreed() -> set[tuple[str, str]]:
        found = set()
        for pod in (p for p in service.pods(number) if is_ready(p)):
            written = [pod["metadata"]["annotations"][name] for name in names]
            lines = service.kubectl.exec(pod["metadata"]["name"], "cat", "/etc/seatrial/pod/annotations").splitlines()
            shown = dict(line.split("=", 1) for line in lines)
            assert [shown[name].strip('"') for name in names] == written, f"{written} isn't shown yet"
            found.add((written[0], written[1]))
        return found

    return eventually(agreed, within=SHOWN_WITHIN, what="the file says what the annotations do")


def pods_at(weight: int, service: Service, second: Watch) -> int:
    """Ready pods of the second revision at a step, at which four are ready in all."""
    second.until(carries(weight), within=90, what=f"{weight} %")
    ready_now = eventually(lambda: len([p for p in service.pods(2) if is_ready(p)]), within=5)
    always(lambda: ready(service) >= 4, lasting=1, what="four pods are ready")
    return ready_now


def ready(service: Service) -> int:
    """Ready pods of all revisions."""
    return len([p for p in service.pods() if is_ready(p)])
