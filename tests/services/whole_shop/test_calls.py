"""What travels along a chain of calls, and what a caller hears when it breaks."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest

from chassis.local import Process
from support.processes import Logged, Start

ORDER = {"customer": "ada", "items": [{"sku": "rope-01", "quantity": 2}]}


def services_of(answer: httpx.Response) -> list[str]:
    return [entry.partition(";")[0] for entry in answer.headers["x-served-by"].split(", ")]


def test_the_answer_names_everyone_who_served_it_outermost_first(gateway: httpx.Client) -> None:
    assert services_of(gateway.get("/api/v1/catalog")) == ["gateway", "catalog"]
    assert services_of(gateway.post("/api/v1/orders", json=ORDER))[:3] == ["gateway", "orders", "catalog"]
    assert services_of(gateway.get("/nope")) == ["gateway"]
    assert services_of(gateway.get("/api/v1/home", params={"customer": "ada"})) == ["gateway", "catalog", "orders"]


def test_each_name_has_its_revision_and_pod(start: Start) -> None:
    process = start("catalog", SEATRIAL_SERVICE="shelf", SEATRIAL_REVISION="7", POD_NAME="shelf-7-abc")
    assert httpx.get(process.url + "/v1/products").headers["x-served-by"] == "shelf;revision=7;pod=shelf-7-abc"


def test_a_request_id_is_kept_along_the_chain(gateway: httpx.Client, logged: Logged) -> None:
    answer = gateway.post("/api/v1/orders", json=ORDER, headers={"x-request-id": "trip-1"})
    assert answer.headers["x-request-id"] == "trip-1"
    for service in ("gateway", "orders", "catalog"):
        assert len(logged(service, requestId="trip-1", status=201 if service != "catalog" else 200)) == 1


@pytest.mark.parametrize("sent", ["", "x" * 129, "a\tb", "a b"])
def test_a_request_id_that_would_spoil_logs_is_replaced(gateway: httpx.Client, sent: str) -> None:
    assert gateway.get("/api/v1/catalog", headers={"x-request-id": sent}).headers["x-request-id"] != sent


def test_a_trace_goes_through_all_services(gateway: httpx.Client, logged: Logged) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "x-request-id": "traced"}
    gateway.post("/api/v1/orders", json=ORDER, headers=headers)
    entries = [logged(service, requestId="traced")[0] for service in ("gateway", "orders", "catalog")]
    assert [entry["traceId"] for entry in entries] == [trace] * 3
    assert len({entry["spanId"] for entry in entries}) == 3


def test_a_request_without_a_trace_gets_one(gateway: httpx.Client, logged: Logged) -> None:
    gateway.get("/api/v1/catalog", headers={"x-request-id": "untraced"})
    [entry] = logged("catalog", requestId="untraced")
    assert entry["traceId"] == logged("gateway", requestId="untraced")[0]["traceId"]


def test_a_log_line_tells_route_status_and_time(gateway: httpx.Client, logged: Logged) -> None:
    gateway.get("/api/v1/catalog/rope-01", headers={"x-request-id": "line"})
    [entry] = logged("catalog", requestId="line")
    assert entry["route"] == "/v1/products/{sku}"
    assert entry["status"] == 200
    assert isinstance(entry["milliseconds"], float)
    assert entry["service"] == "catalog"


def test_a_call_ends_when_the_caller_has_stopped_waiting(gateway: httpx.Client) -> None:
    headers = {"x-fault": "delay=5s", "x-fault-service": "catalog", "x-deadline-ms": "150"}
    answer = gateway.post("/api/v1/orders", json=ORDER, headers=headers)
    assert answer.status_code == 504
    assert answer.json()["upstream"] in ("orders", "catalog")
    assert answer.elapsed.total_seconds() < 2


def test_strange_headers_break_nothing(gateway: httpx.Client) -> None:
    names = ("x-request-id", "x-fault", "x-deadline-ms", "traceparent", "baggage", "idempotency-key", "content-type")
    for value in (b"\xe9\xff", b"9" * 5000, b"a=b;c=\xb2,,"):
        for name in names:
            headers = {name.encode(): value, b"x-fault-service": b"nobody"}
            assert gateway.get("/api/v1/catalog", headers=headers).status_code == 200
            assert gateway.post("/api/v1/orders", json=ORDER, headers=headers).status_code in (201, 400, 422)


def test_the_proxys_own_deadline_counts_too(gateway: httpx.Client) -> None:
    headers = {"x-fault": "delay=5s", "x-fault-service": "catalog", "x-envoy-expected-rq-timeout-ms": "150"}
    assert gateway.get("/api/v1/catalog", headers=headers).status_code == 504


def test_an_upstream_that_is_not_there_is_named(start: Start, processes: dict[str, Process]) -> None:
    orders = start("orders", CATALOG_URL="http://127.0.0.1:1")
    answer = httpx.post(orders.url + "/v1/orders", json=ORDER)
    assert answer.status_code == 503
    assert answer.json()["upstream"] == "catalog"
    assert answer.headers["retry-after"] == "1"


def test_an_upstream_that_talks_nonsense_is_a_bad_gateway(start: Start) -> None:
    class Nonsense(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *args: object) -> None:
            """Stay silent."""

    with HTTPServer(("127.0.0.1", 0), Nonsense) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        orders = start("orders", CATALOG_URL=f"http://127.0.0.1:{server.server_port}")
        answer = httpx.post(orders.url + "/v1/orders", json=ORDER)
        server.shutdown()
    assert answer.status_code == 502


def test_what_an_upstream_refuses_comes_back_as_it_was_said(gateway: httpx.Client, orders: httpx.Client) -> None:
    wrong = {"customer": "ada", "items": []}

    def said(answer: httpx.Response) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(answer.content)
        body.pop("requestId")
        return body

    assert said(gateway.post("/api/v1/orders", json=wrong)) == said(orders.post("/v1/orders", json=wrong))


def test_the_start_page_comes_without_the_part_that_failed(gateway: httpx.Client) -> None:
    whole = gateway.get("/api/v1/home", params={"customer": "ada"}).json()
    assert whole["missing"] == []
    failing = {"x-fault": "abort=503", "x-fault-service": "orders"}
    part = gateway.get("/api/v1/home", params={"customer": "ada"}, headers=failing).json()
    assert part["catalog"] == whole["catalog"]
    assert part["orders"] is None
    assert [(one["part"], one["status"]) for one in part["missing"]] == [("orders", 503)]


def test_the_start_page_fails_when_nothing_is_left_of_it(start: Start) -> None:
    gateway = start("gateway", ORDERS_URL="http://127.0.0.1:1", CATALOG_URL="http://127.0.0.1:1")
    assert httpx.get(gateway.url + "/api/v1/home", params={"customer": "ada"}).status_code == 503
