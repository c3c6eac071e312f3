"""Orders among the services that they need: driven by requests, by messages, by a command line, on any pod."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from chassis.local import Shop
from support.processes import Start
from support.shop_events import ADDRESS, envelope, publish
from support.waiting import eventually

SOON = 30.0
ROPES = {"customer": "ada", "items": [{"sku": "rope-01", "quantity": 2}]}


@pytest.fixture
def saga(orders: httpx.Client) -> Any:
    """The saga of an order, once it has a status."""

    def read(order_id: str, status: str) -> dict[str, Any]:
        def there() -> dict[str, Any]:
            found: dict[str, Any] = orders.get(f"/v1/sagas/{order_id}").json()
            assert found["status"] == status, found
            return found

        return eventually(there, within=SOON, what=f"the saga of {order_id} is {status}")

    return read


@pytest.fixture
def environment(processes: Shop) -> dict[str, str]:
    """What a process of orders is told."""
    urls = {f"{name.upper()}_URL": processes[name].url for name in ("catalog", "inventory", "payments")}
    return {**urls, "DATABASE_URL": processes.data.database_url("orders"), "BROKER_URL": processes.data.broker_url}


def place(orders: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = orders.post("/v1/orders", json={**ROPES, **body})
    assert answer.status_code == 201, answer.text
    order: dict[str, Any] = answer.json()
    return order


@pytest.mark.parametrize("flow", ["orchestrated", "choreographed"])
def test_an_order_is_reserved_paid_shipped_and_confirmed(
    flow: str, processes: Shop, orders: httpx.Client, saga: Any
) -> None:
    order = place(orders, saga=flow, address=ADDRESS)
    record = saga(order["id"], "completed")
    assert (record["type"], record["sagaId"]) == (flow, order["id"])
    assert record["completedSteps"] == ["reserve", "pay", "ship", "confirm"]
    assert orders.get(f"/v1/orders/{order['id']}").json()["status"] in ("confirmed", "shipped", "delivered")
    charge = httpx.get(f"{processes['payments'].url}/v1/charges/{order['id']}").json()
    assert charge["amount"] == order["total"]


@pytest.mark.parametrize("flow", ["orchestrated", "choreographed"])
def test_an_order_that_payments_decline_ends_cancelled_with_their_reason_and_its_stock_is_back(
    flow: str, processes: Shop, orders: httpx.Client, saga: Any
) -> None:
    rules = f"{processes['payments'].url}/v1/fraud-rules"
    source, mine = httpx.get(rules).json()["source"], 'rule m: deny when customer == "mallory" because "not again"'
    if mine not in source:
        httpx.put(rules, content=f"{source}\n{mine}", headers={"content-type": "text/plain"}).raise_for_status()
    order = place(orders, customer="mallory", saga=flow)
    assert saga(order["id"], "compensated")["data"]["toUndo"] == []
    found = orders.get(f"/v1/orders/{order['id']}").json()
    assert (found["status"], "not again" in found["reason"]) == ("cancelled", True)
    reservation = httpx.get(f"{processes['inventory'].url}/v1/reservations/{order['id']}")
    assert reservation.json()["status"] == "released", reservation.text


def test_what_the_catalog_does_not_sell_is_refused_and_named(orders: httpx.Client) -> None:
    items = [{"sku": "rope-01", "quantity": 1}, {"sku": "moon-01", "quantity": 1}]
    refused = orders.post("/v1/orders", json={**ROPES, "items": items})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "items[1].sku"


@pytest.mark.parametrize("flow", ["orchestrated", "choreographed"])
def test_a_cancelled_order_is_refunded_and_released(
    flow: str, processes: Shop, orders: httpx.Client, saga: Any
) -> None:
    order = place(orders, saga=flow)
    cancelled = orders.post(f"/v1/orders/{order['id']}/cancel", json={"reason": "ordered twice"})
    assert cancelled.status_code in (200, 202), cancelled.text
    saga(order["id"], "compensated")
    found = orders.get(f"/v1/orders/{order['id']}").json()
    assert (found["status"], found["reason"]) == ("cancelled", "ordered twice")

    def given_back() -> bool:
        """Choreographed, what was paid before payments heard of it comes back a moment after the first end."""
        charge = httpx.get(f"{processes['payments'].url}/v1/charges/{order['id']}")
        return charge.status_code == 404 or charge.json()["status"] in ("refunded", "cancelled")

    eventually(given_back, within=SOON, what="the money is back")
    again = orders.post(f"/v1/orders/{order['id']}/cancel", json={"reason": "once more"})
    assert (again.status_code, again.json()["type"]) == (409, "urn:seatrial:problem:not-in-this-state")


def test_every_pod_finds_what_another_one_has_placed(
    start: Start, environment: dict[str, str], orders: httpx.Client
) -> None:
    with httpx.Client(base_url=start("orders", **environment).url, timeout=20) as there:
        order = place(there, customer="grace-hopper")
        assert orders.get(f"/v1/orders/{order['id']}").json()["id"] == order["id"]
        headers = {"idempotency-key": "one-key-two-pods"}
        here, elsewhere = (pod.post("/v1/orders", json=ROPES, headers=headers).json() for pod in (orders, there))
        assert here == elsewhere
        reused = there.post("/v1/orders", json={**ROPES, "customer": "bob"}, headers=headers)
        assert (reused.status_code, reused.json()["type"]) == (422, "urn:seatrial:problem:idempotency-key-reused")


def test_a_partner_orders_by_queue_and_the_same_message_is_the_same_order(
    processes: Shop, orders: httpx.Client
) -> None:
    wanted = envelope("OrderRequested", {"customer": "partner-7", "items": ROPES["items"], "address": ADDRESS})
    publish(processes.data.broker_url, [wanted, wanted])

    def listed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = orders.get("/v1/orders", params={"customer": "partner-7"}).json()["orders"]
        return found

    (order,) = eventually(listed, within=SOON, what="the partner's order is there")
    assert order["address"] == ADDRESS
    record = orders.get(f"/v1/sagas/{order['id']}").json()
    assert record["data"]["correlationId"] == wanted.metadata.correlation_id


def test_what_a_partner_cannot_order_lies_among_the_dead_letters(processes: Shop) -> None:
    unknown = envelope("OrderRequested", {"customer": "partner-8", "items": [{"sku": "moon-01", "quantity": 1}]})
    publish(processes.data.broker_url, [unknown])
    letters = f"{processes['notifications'].url}/v1/dead-letters"

    def buried() -> list[str]:
        found = httpx.get(letters, params={"consumer": "orders.partners"}).json()["deadLetters"]
        return [letter["cause"] for letter in found if letter["eventId"] == unknown.event_id]

    (cause,) = eventually(buried, within=SOON, what="it is buried")
    assert "no product has the SKU moon-01" in cause


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "orders", *arguments]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_command_line_drives_the_same_orders(environment: dict[str, str], orders: httpx.Client, saga: Any) -> None:
    placed = run(environment, "place", "--customer", "ada", "rope-01=2", "bell-01=1")
    assert placed.returncode == 0, placed.stderr
    order = json.loads(placed.stdout)
    assert orders.get(f"/v1/orders/{order['id']}").json()["total"] == order["total"]
    saga(order["id"], "completed")
    refused = run(environment, "resolve", order["id"], "--reason", "why not")
    assert (refused.returncode, "nothing left to resolve" in refused.stderr) == (1, True)
    unknown = run(environment, "place", "--customer", "ada", "moon-01=1")
    assert unknown.stderr == "orders: no product has the SKU moon-01\n"


@pytest.fixture
def alone(start: Start, processes: Shop) -> Iterator[httpx.Client]:
    """Orders with no database, no broker and nobody to reserve or to pay."""
    nobody = {"INVENTORY_URL": "http://127.0.0.1:9", "PAYMENTS_URL": "http://127.0.0.1:9"}
    process = start("orders", CATALOG_URL=processes["catalog"].url, **nobody)
    with httpx.Client(base_url=process.url, timeout=20) as client:
        yield client


def test_it_runs_alone_and_a_person_settles_what_cannot_end(alone: httpx.Client) -> None:
    order = place(alone)
    assert order["status"] == "pending"
    (record,) = alone.get("/v1/sagas").json()["sagas"]
    assert (record["sagaId"], record["currentStep"]) == (order["id"], "reserve")
    decision = {"action": "abandon", "reason": "settled at the counter"}
    settled = alone.post(f"/v1/sagas/{order['id']}/resolve", json=decision).json()
    assert (settled["status"], settled["data"]["reason"]) == ("abandoned", "settled at the counter")
    assert alone.get(f"/v1/orders/{order['id']}").json()["status"] == "cancelled"
    assert alone.get("/v1/sagas").json()["sagas"] == []
    assert alone.post(f"/v1/sagas/{order['id']}/resolve", json=decision).status_code == 409
    assert alone.get("/v1/sagas/nobody").status_code == alone.get("/v1/orders/nobody").status_code == 404
