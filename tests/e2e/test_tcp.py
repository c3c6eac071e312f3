"""A service of TCP alone: its callers' connections are all that is seen of it."""

from support.asking import Request
from support.place import Place


def test_a_service_of_tcp_alone_is_judged_by_its_connections(place: Place) -> None:
    ports = [{"name": "wire", "port": 7000, "targetPort": 8080, "appProtocol": "tcp"}]
    service = place.actor(
        "orders",
        ports=ports,
        security={"callers": [{"service": "caller"}]},
        replicas=1,
        rollout={"steps": [50], "hold": "2s", "analysis": {"toleratePercentPoints": 10}},
    ).changed(port=None, probes=None, expose=None)
    service.apply()
    takes = {"env": {"TAKE": "http://orders:7000/", "EVERY": "0.03"}, "replicas": 1}
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
