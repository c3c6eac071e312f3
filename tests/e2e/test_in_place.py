"""What isn't of the template acts in place and at once, also in mid-rollout: no new revision, no lost request."""

from support.place import Place
from support.services import attempt_of, carries, is_ready
from support.traffic import nothing_lost
from support.waiting import eventually


def test_policy_and_replicas_change_in_mid_rollout_without_a_new_revision(place: Place) -> None:
    rollout = {"steps": [30], "hold": "1s", "analysis": {"minRequests": 100_000}}  # judged, and never sure
    service = place.actor("orders", replicas=1, rollout=rollout)
    service.apply()
    service.await_stable(1)
    with place.load() as load, service.watched(2) as second:
        service.apply(env={"RELEASE": "two"})
        second.until(lambda r: carries(30)(r) and attempt_of(r).get("evidence"), within=60, what="it is judged at 30 %")
        service.apply(replicas=2, traffic={"timeout": "7s"})

        def in_place() -> bool:
            routes = service.kubectl.the("virtualservice", "orders-expose")["spec"]["http"]
            assert {route["timeout"] for route in routes if "route" in route} == {"7s"}, routes
            assert len([p for p in service.pods(1) if is_ready(p)]) == 2, "stable has other replicas"
            return True

        eventually(in_place, within=60, what="it acts")
        second.until(
            lambda r: (attempt_of(r).get("evidence") or {}).get("restarts") == 1, within=30, what="counting begins anew"
        )
        assert service.weights() == {"r1": 70, "r2": 30}
        nothing_lost(load.stop(), least=60)
    assert len(service.kubectl.list("rev")) == 2
    told = [e.get("message") or e.get("note", "") for e in service.kubectl.list("events")]
    assert "the policy changed: evidence is counted anew" in told
