"""Proxies that nothing can be told: what was written isn't what they carry, and a rollout says whose it waits for."""

from collections.abc import Iterator
from contextlib import contextmanager

from support.kubectl import Object
from support.node import signal_pod
from support.place import Place
from support.services import Service, carries, is_ready, phase_of, uid_of
from support.traffic import nothing_lost
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
