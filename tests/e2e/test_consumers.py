"""Services that nobody calls by HTTP: consumers without ports, whose steps are shares of replicas, and TCP alone."""

import json
from collections import Counter

import pytest

from support.asking import Request
from support.place import Place
from support.services import Service, carries, is_ready, phase_of
from support.waiting import always, eventually

TAKEN = 60  # messages, after which a share can be told
SHOWN_WITHIN = 120.0  # seconds; mostly a second, but a kubelet that misses a change sees it only when it syncs next


@pytest.fixture
def queue(place: Place) -> Service:
    """What consumers take from: one pod, which counts who takes."""
    callers = [{"service": "orders"}, {"ingress": {}}]
    service = place.actor("queue", replicas=1, security={"callers": callers})
    service.apply()
    service.await_stable(1)
    return service


def test_a_canary_consumer_takes_nothing_at_0_and_its_share_afterwards(place: Place, queue: Service) -> None:
    service = place.taker("orders", takes="queue", rollout={"steps": [25], "hold": "600s"})
    service.apply()
    service.await_stable(1)
    service.apply(env={"RELEASE": "two"}, paused=True)
    eventually(lambda: [p for p in service.pods(2) if is_ready(p)], within=60, what="a pod of revision 2 is ready")
    assert told(service, 2) == {("canary", "0")}
    assert taken(place, during=TAKEN)["2"] == 0, "it took what nobody gave it"
    with service.watched(2) as second:
        service.apply(paused=False)
        second.until(carries(25), within=60, what="25 %")
        assert told(service, 2) == {("canary", "100")}, "one pod of four does a quarter"
        took = taken(place, during=TAKEN)
        assert 0 < took["2"] < took["1"], took
        place.seatrial("promote", "orders")
        second.until(lambda r: phase_of(r) == "Succeeded", within=90, what="it is promoted")
    service.await_stable(2)
    assert told(service, 2) == {("stable", "100")}
    eventually(lambda: not service.pods(1), within=60, what="the old pods are gone")
    assert taken(place, during=TAKEN)["1"] == 0


def test_replicas_are_shared_by_the_steps_of_a_consumer_and_never_too_few(place: Place, queue: Service) -> None:
    service = place.taker("orders", takes="queue", rollout={"steps": [25, 50], "hold": "4s"})
    service.apply()
    service.await_stable(1)
    shares = {}
    with service.watched(2) as second:
        service.apply(env={"RELEASE": "two"})
        for weight in (25, 50, 100):
            second.until(carries(weight), within=90, what=f"{weight} %")
            shares[weight] = eventually(lambda: len([p for p in service.pods(2) if is_ready(p)]), within=5)
            always(lambda: ready(service) >= 4, lasting=1, what="four pods are ready")
        second.until(lambda r: phase_of(r) == "Succeeded", within=60, what="it is promoted")
    service.await_stable(2)
    assert shares == {25: 1, 50: 2, 100: 4}


def test_a_consumer_that_crashes_is_taken_back(place: Place, queue: Service) -> None:
    service = place.taker("orders", takes="queue", rollout={"steps": [50], "hold": "120s"})
    service.apply()
    service.await_stable(1)
    service.apply(env={"CRASH": "10"})
    attempt = service.await_phase(2, "RolledBack", within=150)
    assert "exit code 1" in attempt["decision"], attempt["decision"]
    service.await_stable(1)
    eventually(lambda: not service.pods(2), within=60, what="its pods are gone")
    eventually(lambda: ready(service) == 4, within=60, what="four pods of the stable revision are back")


def test_a_service_of_tcp_alone_is_judged_by_its_connections(place: Place) -> None:
    ports = [{"name": "wire", "port": 7000, "targetPort": 8080, "appProtocol": "tcp"}]
    service = place.actor(
        "orders",
        ports=ports,
        security={"callers": [{"service": "caller"}]},
        rollout={"steps": [50], "hold": "2s", "analysis": {"toleratePercentPoints": 10}},
    ).changed(port=None, probes=None, expose=None)
    service.apply()
    takes = {"env": {"TAKE": "http://orders:7000/", "EVERY": "0.05"}, "replicas": 2}
    caller = place.taker("caller", takes="orders", **takes)
    caller.apply()
    caller.await_stable(1)
    service.await_stable(1)
    service.apply(env={"RELEASE": "two"})
    good = service.await_phase(2, "Succeeded", within=120)
    errors = next(slo for slo in good["evidence"]["slos"] if slo["name"] == "errors")
    assert errors["canary"]["total"] >= 30
    assert errors["canary"]["bad"] == 0
    service.await_stable(2)
    service.apply(env={"DROPS": "0.6"})
    bad = service.await_phase(3, "RolledBack", within=120)
    assert "failed" in bad["decision"], bad["decision"]
    service.await_stable(2)
    seen = place.inside(caller).ask(Request("http://orders:7000/identity"))
    assert seen.served_by[0].revision == 2


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


def ready(service: Service) -> int:
    """Ready pods of all revisions."""
    return len([p for p in service.pods() if is_ready(p)])
