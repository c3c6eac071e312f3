"""What a user of the shop does, from outside and on whichever pod the request lands."""

import os
import subprocess
import sys
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from catalog.products import Catalog
from chassis.local import Process, services
from chassis.settings import Settings, load
from support.processes import Start

ITEMS = [{"sku": "rope-01", "quantity": 2}, {"sku": "bell-01", "quantity": 1}]


def place(client: httpx.Client, url: str = "/v1/orders", key: str | None = None, **body: Any) -> dict[str, Any]:
    headers = {} if key is None else {"idempotency-key": key}
    answer = client.post(url, json={"customer": "ada", "items": ITEMS, **body}, headers=headers)
    assert answer.status_code == 201, answer.text
    order: dict[str, Any] = answer.json()
    assert answer.headers["location"].endswith("/" + order["id"])
    return order


def test_an_order_costs_what_the_catalog_says_and_is_found_where_location_points(gateway: httpx.Client) -> None:
    prices = {sku: gateway.get(f"/api/v1/catalog/{sku}").json()["price"] for sku in ("rope-01", "bell-01")}
    answer = gateway.post("/api/v1/orders", json={"customer": "ada", "items": ITEMS})
    assert answer.status_code == 201
    order = answer.json()
    assert order["customer"] == "ada"
    assert order["status"] == "pending"
    assert [(line["sku"], line["quantity"], line["unitPrice"]) for line in order["items"]] == [
        ("rope-01", 2, prices["rope-01"]),
        ("bell-01", 1, prices["bell-01"]),
    ]
    assert order["total"] == {
        "amount": 2 * prices["rope-01"]["amount"] + prices["bell-01"]["amount"],
        "currency": "EUR",
    }
    found = gateway.get(answer.headers["location"]).json()
    assert {**found, "status": "pending"} == order, "nothing of it changes but how far it is"


def test_an_order_sent_again_with_its_key_is_the_same_order(gateway: httpx.Client) -> None:
    first, again = (place(gateway, "/api/v1/orders", key="trip") for _ in range(2))
    assert first == again
    assert place(gateway, "/api/v1/orders")["id"] != place(gateway, "/api/v1/orders")["id"]


def test_all_orders_of_a_customer_are_listed_latest_first(orders: httpx.Client) -> None:
    placed = [place(orders, customer="grace")["id"] for _ in range(3)]
    first = orders.get("/v1/orders", params={"customer": "grace", "limit": 2}).json()
    rest = orders.get("/v1/orders", params={"customer": "grace", "limit": 2, "after": first["next"]}).json()
    assert [order["id"] for order in [*first["orders"], *rest["orders"]]] == placed[::-1]
    assert rest["next"] is None


def test_the_catalog_lists_pages_and_finds(gateway: httpx.Client) -> None:
    everything = gateway.get("/api/v1/catalog").json()
    assert everything["total"] == len(everything["products"]) == len(Catalog.bundled())
    page = gateway.get("/api/v1/catalog", params={"limit": 2, "offset": 1}).json()
    assert page["products"] == everything["products"][1:3]
    assert page["total"] == everything["total"]
    anchors = gateway.get("/api/v1/catalog", params={"q": "ANCHOR"}).json()["products"]
    assert {"anchor-01", "anchor-02"} <= {product["sku"] for product in anchors}
    chosen = gateway.get("/api/v1/catalog", params=[("sku", "rope-02"), ("sku", "bell-01"), ("sku", "nothing")]).json()
    assert [product["sku"] for product in chosen["products"]] == ["bell-01", "rope-02"]


@pytest.mark.parametrize("service", services())
def test_each_service_documents_itself(service: str, processes: dict[str, Process]) -> None:
    document = httpx.get(processes[service].url + "/openapi.json").json()
    validate(document)
    for path, operations in document["paths"].items():
        assert path.startswith(("/v1/", "/api/v1/")) or service == "bank"
        for operation in operations.values():
            assert operation["responses"]["4XX"]["content"].keys() == {"application/problem+json"}


@pytest.mark.parametrize("service", services())
def test_each_service_is_alive_ready_and_measured(service: str, processes: dict[str, Process]) -> None:
    with httpx.Client(base_url=processes[service].url) as client:
        assert client.get("/livez").text == client.get("/readyz").text == "ok\n"
        documented: dict[str, Any] = client.get("/openapi.json").json()["paths"]
        route = next(path for path, operations in documented.items() if "get" in operations and "{" not in path)
        client.get(route, params={"unbounded": "label"})
        client.get("/some/random/path")
        text = client.get("/metrics").text
    assert f'http_server_request_duration_seconds_count{{method="GET",route="{route}",status=' in text
    assert 'route="unmatched",status="404"' in text
    assert "random" not in text
    assert "/readyz" not in text
    assert f'service_info{{name="{service.replace(".", "-")}"' in text
    assert "process_cpu_seconds_total" in text


def test_calls_to_others_are_measured(gateway: httpx.Client) -> None:
    gateway.get("/api/v1/catalog")
    text = gateway.get("/metrics").text
    assert 'http_client_request_duration_seconds_count{method="GET",outcome="200",upstream="catalog"}' in text


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"SHUTDOWN_SETTLE": "5"}, ["SHUTDOWN_SETTLE='5': Value error, '5' is not a duration: write it like 250ms"]),
        ({"LOG_LEVEL": "loud"}, ["LOG_LEVEL='loud': Input should be 'debug', 'info', 'warning' or 'error'"]),
        (
            {"FAULTS": "yes", "PORT": "x"},
            ["FAULTS='yes': Input should be", "PORT='x': Input should be a valid"],
        ),
        ({"FAULT": "abort=200"}, ["FAULT='abort=200': Value error, abort=200 isn't an error status from 400 to 599"]),
        ({}, ["SEATRIAL_SERVICE: Field required"]),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(
    variables: dict[str, str], told: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match="2"):
        load(Settings)
    printed = capsys.readouterr().err
    for line in told:
        assert f"environment variable {line}" in printed


def test_a_wrong_setting_ends_the_start(start: Start) -> None:
    with pytest.raises(RuntimeError, match="catalog ended with 2 instead of serving:\nenvironment variable PORT='x'"):
        start("catalog", PORT="x")


def test_a_taken_port_is_named(processes: dict[str, Process]) -> None:
    taken = processes["catalog"].url.rpartition(":")[2]
    command = [sys.executable, "-m", "chassis", "catalog"]
    environment = {**os.environ, "HOST": "127.0.0.1", "PORT": taken}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 1
    assert result.stderr.startswith(f"can't listen on 127.0.0.1:{taken}: Address already in use. Free the port")
