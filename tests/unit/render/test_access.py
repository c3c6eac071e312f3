from collections.abc import Callable
from typing import Any

from seatrial.render import render

Make = Callable[..., Any]


def spec_of(make: Make, kind: str, security: dict[str, Any], **given: Any) -> Any:
    port = given.pop("port", 8080)
    inputs = make({"port": port, "security": security}, **given)
    return next(o for o in render(inputs) if o["kind"] == kind)["spec"]


def test_callers_are_let_in_by_identity_on_the_services_own_ports(make: Make) -> None:
    callers = [
        {"service": "gateway"},
        {"service": "reports", "namespace": "bi", "methods": ["GET"], "paths": ["/v1/*"]},
    ]
    rules = spec_of(make, "AuthorizationPolicy", {"callers": callers})["rules"]
    assert rules[0] == {
        "from": [{"source": {"principals": ["cluster.local/ns/shop/sa/gateway"]}}],
        "to": [{"operation": {"ports": ["8080"]}}],
    }
    assert rules[1]["from"][0]["source"]["principals"] == ["cluster.local/ns/bi/sa/reports"]
    assert rules[1]["to"] == [{"operation": {"ports": ["8080"], "methods": ["GET"], "paths": ["/v1/*"]}}]


def test_the_ingress_gateway_is_a_caller_like_others(make: Make) -> None:
    (rule,) = spec_of(make, "AuthorizationPolicy", {"callers": [{"ingress": {}}]})["rules"]
    assert "istio-ingressgateway" in rule["from"][0]["source"]["principals"][0]


def test_without_callers_nobody_may_call(make: Make) -> None:
    spec = spec_of(make, "AuthorizationPolicy", {})
    assert spec["action"] == "ALLOW"
    assert "rules" not in spec
    without_ports = spec_of(make, "AuthorizationPolicy", {"callers": [{"service": "x"}]}, port=None)
    assert "rules" not in without_ports


def test_the_proxy_knows_what_is_called_and_nothing_else(make: Make) -> None:
    calls = [{"service": "catalog"}, {"service": "ledger", "namespace": "finance"}, {"host": "bank.example.com"}]
    spec = spec_of(make, "Sidecar", {"calls": calls})
    assert spec["egress"] == [
        {
            "hosts": [
                "./bank.example.com",
                "./catalog.shop.svc.cluster.local",
                "finance/ledger.finance.svc.cluster.local",
            ]
        }
    ]
    assert spec["outboundTrafficPolicy"] == {"mode": "REGISTRY_ONLY"}


def test_who_calls_nobody_knows_nobody(make: Make) -> None:
    assert spec_of(make, "Sidecar", {})["egress"] == [{"hosts": ["~/*"]}]


def test_packets_come_in_from_callers_and_from_the_operator_to_the_proxys_statistics(make: Make) -> None:
    callers = [{"service": "gateway"}, {"service": "gateway", "methods": ["GET"]}, {"ingress": {}}]
    calls, statistics = spec_of(make, "NetworkPolicy", {"callers": callers})["ingress"]
    assert [p["podSelector"]["matchLabels"] for p in calls["from"]] == [
        {"seatrial.dev/service": "gateway"},
        {"istio": "ingressgateway"},
    ]
    assert calls["ports"] == [{"port": 8080, "protocol": "TCP"}]
    assert [p["port"] for p in statistics["ports"]] == [15020, 15090]


def test_packets_go_out_to_dns_istiod_and_callees(make: Make) -> None:
    calls = [{"service": "catalog"}, {"service": "postgres"}, {"host": "bank.example.com"}]
    known = {("shop", "postgres"): {"selector": {"app": "postgres"}, "target_ports": (5432,)}}
    egress = spec_of(make, "NetworkPolicy", {"calls": calls}, callees=known)["egress"]
    assert [[p["port"] for p in rule.get("ports", [])] for rule in egress] == [[53, 53], [15012], [], [5432], [443]]
    assert egress[2]["to"][0]["podSelector"]["matchLabels"] == {"seatrial.dev/service": "catalog"}
    assert egress[3]["to"][0]["podSelector"]["matchLabels"] == {"app": "postgres"}
