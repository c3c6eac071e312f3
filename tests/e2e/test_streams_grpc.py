"""Calls of gRPC whose answers go on over a promotion: they stay where they began, and what had to be cut is counted."""

from support.endless import Endless
from support.place import Place
from support.waiting import always, eventually

CALL = "/shop.Orders/Watch"


def test_calls_that_stream_end_when_their_clients_do_or_the_drain_is_over(place: Place) -> None:
    service = place.grpc_actor(
        "orders",
        replicas=1,
        env={"STREAMS": "1"},
        rollout={"strategy": "none", "steps": None, "analysis": None, "hold": "1s"},
        shutdown={"drain": "15s", "grace": "3s"},
        traffic={"timeout": "0s"},
    )
    service.apply()
    service.await_stable(1)
    with Endless(service.host, call=CALL) as kept, Endless(service.host, call=CALL) as ended:
        assert {kept.revision, ended.revision} == {1}
        service.apply(env={"RELEASE": "two"})
        service.await_stable(2)
        with Endless(service.host, call=CALL) as new:
            assert new.revision == 2
            always(lambda: kept.goes_on and ended.goes_on, lasting=3, what="calls go on with the pods of revision 1")
            ended.close()
            eventually(lambda: not kept.goes_on, within=60, what="what outlasts the drain is cut")
            assert new.goes_on
    told = [e.get("message") or e.get("note", "") for e in service.kubectl.list("events") if e["reason"] == "DrainCut"]
    assert told == ["revision 1 still had 1 requests or streams after 15s: cut"]
    eventually(lambda: not service.pods(1), within=60, what="the old pods are gone")
