from typing import Any

import pytest

from seatrial.api.meshservice import MeshService
from seatrial.render import host_object_name, render_hosts

OLD, NEW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def service(name: str, created: str | None = OLD, **spec: Any) -> MeshService:
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "creationTimestamp": created}
    return MeshService.parse({"metadata": metadata, "spec": {"image": "x", "port": 8080, **spec}})


def exposing(name: str, *places: dict[str, Any], created: str | None = OLD) -> MeshService:
    return service(name, created, expose=[{"host": "shop.localhost", **p} for p in places])


def hosts(*services: MeshService, routed: set[str] | None = None, live: Any = None) -> list[dict[str, Any]]:
    names = {s.metadata.name for s in services} if routed is None else routed
    return render_hosts("shop", services, routed=names, live=live)


def of_kind(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [o for o in objects if o["kind"] == kind]


def places(objects: list[dict[str, Any]]) -> list[tuple[str, str]]:
    (root,) = of_kind(objects, "VirtualService")
    return [
        (h["match"][0]["uri"]["exact"] if "match" in h else "/", h["delegate"]["name"]) for h in root["spec"]["http"]
    ]


def test_the_longest_prefix_comes_first() -> None:
    found = hosts(
        exposing("a", {"prefix": "/"}),
        exposing("b", {"prefix": "/x"}, {"prefix": "/x/y/"}),
        exposing("c", {"prefix": "/z"}),
    )
    assert places(found) == [("/x/y", "b-expose"), ("/x", "b-expose"), ("/z", "c-expose"), ("/", "a-expose")]


def test_a_service_without_routing_has_no_place_yet() -> None:
    found = hosts(exposing("a", {"prefix": "/a"}), exposing("b", {"prefix": "/b"}), routed={"b"})
    assert places(found) == [("/b", "b-expose")]


def test_a_host_that_nothing_is_routed_to_has_a_gateway_and_no_routes() -> None:
    found = hosts(exposing("a", {}), routed=set())
    assert [o["kind"] for o in found] == ["Gateway"]


def test_the_older_service_keeps_its_place() -> None:
    young, old = exposing("a", {"prefix": "/x/"}, created=NEW), exposing("b", {"prefix": "/x"}, created=OLD)
    assert places(hosts(young, old)) == places(hosts(old, young)) == [("/x", "b-expose")]


def test_all_who_expose_a_host_own_it_and_none_controls_it() -> None:
    found = hosts(exposing("b", {"prefix": "/b"}), exposing("a", {"prefix": "/a"}), routed={"a"})
    for obj in found:
        references = obj["metadata"]["ownerReferences"]
        assert [r["name"] for r in references] == ["a", "b"]
        assert not any(r.get("controller") for r in references)


def test_the_gateway_goes_after_its_routes() -> None:
    name = host_object_name("shop.localhost")
    gateway, _ = hosts(exposing("a", {}), live={("VirtualService", name): "u"})
    assert [r["kind"] for r in gateway["metadata"]["ownerReferences"]] == ["MeshService", "VirtualService"]


def test_only_routes_of_the_namespace_may_bind_the_host() -> None:
    gateway, root = hosts(exposing("a", {}))
    assert gateway["spec"]["servers"][0]["hosts"] == ["./shop.localhost"]
    assert root["spec"]["gateways"] == [gateway["metadata"]["name"]]


def test_with_a_certificate_plain_http_is_sent_to_https() -> None:
    gateway, _ = hosts(exposing("a", {"prefix": "/a"}), exposing("b", {"prefix": "/b", "tls": {"secretName": "cert"}}))
    plain, secure = gateway["spec"]["servers"]
    assert plain["tls"] == {"httpsRedirect": True}
    assert secure["tls"] == {"mode": "SIMPLE", "credentialName": "cert"}


def test_an_outside_host_is_one_entry_with_the_ports_of_all_its_callers() -> None:
    bank = "bank.example.com"
    one = service("a", security={"calls": [{"host": bank}]})
    two = service(
        "b", security={"calls": [{"host": bank, "port": 8443, "protocol": "tls"}, {"host": bank, "port": 443}]}
    )
    (entry,) = hosts(two, one)
    assert entry["spec"]["ports"] == [
        {"number": 443, "name": "https-443", "protocol": "HTTPS"},
        {"number": 8443, "name": "tls-8443", "protocol": "TLS"},
    ]
    assert [r["name"] for r in entry["metadata"]["ownerReferences"]] == ["a", "b"]
    assert entry["spec"]["exportTo"] == ["."]


@pytest.mark.parametrize(("host", "resolution"), [("bank.example.com", "DNS"), ("*.example.com", "NONE")])
def test_names_are_resolved_where_there_is_one(host: str, resolution: str) -> None:
    (entry,) = hosts(service("a", security={"calls": [{"host": host}]}))
    assert entry["spec"]["resolution"] == resolution


def test_no_two_hosts_have_objects_of_one_name() -> None:
    names = [host_object_name(h) for h in ("a-b.c", "a.b-c", "*.a", "a", "a" * 60 + ".b", "a" * 60 + ".c")]
    assert len(set(names)) == len(names)
    assert all(len(n) <= 63 for n in names)
