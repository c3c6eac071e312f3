"""gRPC: a call that failed says so behind an answer of 200, in its trailers. That is what a revision is judged by."""

from loadtests import Ask
from support.place import Place
from support.sailing import sail
from support.traffic import nothing_lost

CALL = Ask("/shop.Orders/Get", "POST", (("content-type", "application/grpc"), ("te", "trailers")), "call")


def test_a_revision_is_judged_by_the_statuses_in_its_trailers(place: Place) -> None:
    service = place.grpc_actor(
        "orders", replicas=1, rollout={"steps": [30], "hold": "2s", "analysis": {"toleratePercentPoints": 5}}
    )
    service.apply()
    service.await_stable(1)
    with place.load(rate=40, ask=CALL) as load:
        good = sail(service, 2, load, env={"RELEASE": "two"}).attempt
        service.await_stable(2)
        own = sail(service, 3, load, env={"ERRORS": "0.5", "STATUS": "5"}).attempt
        service.await_stable(3)
        bad = sail(service, 4, load, env={"STATUS": "13"}).attempt
        nothing_lost(load.stop(), least=200)
    assert good["phase"] == "Succeeded", good["decision"]
    assert own["phase"] == "Succeeded", f"NOT_FOUND is the caller's doing: {own['decision']}"
    assert bad["phase"] == "RolledBack", bad["decision"]
    assert "requests failed" in bad["decision"]
    errors = next(slo for slo in good["evidence"]["slos"] if slo["name"] == "errors")
    assert (errors["canary"]["bad"], errors["stable"]["bad"]) == (0, 0)
    service.await_stable(3)
