"""Shipping on a real Postgres and a real NATS, with carriers that are slow, fail, hang, or answer too late."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from chassis import inbox, outbox
from chassis.database import Database
from chassis.events import Envelope
from chassis.local import Process
from chassis.local_data import DataServices, data_services
from chassis.migrations import differences
from shipping import tables
from support.hearing import heard
from support.processes import Start
from support.shop_events import ADDRESS, TOTAL, about, envelope, publish
from support.waiting import eventually

SOON = 20.0
CARRIERS = ["coaster", "dray", "albatross"]
SEA = {
    "COLLECTION_AFTER": "200ms",
    "DELIVERY_DAY": "3s",
    "CARRIER_PLACES": "4",
    "CARRIER_DELAY": "1ms",
    "BOOKING_PATIENCE": "2s",
    "BREAKER_OPEN_FOR": "1s",
}
TAKEN = {"booked", "dispatched", "delivered"}
numbers = count(1)


@pytest.fixture(scope="module")
def data() -> Iterator[DataServices]:
    """A broker that no other shipping listens to."""
    with data_services() as running:
        env = {**os.environ, "DATABASE_URL": running.database_url("shipping")}
        subprocess.run([sys.executable, "-m", "chassis", "migrate", "shipping"], check=True, env=env)
        yield running


def begin(data: DataServices) -> Process:
    urls = {"DATABASE_URL": data.database_url("shipping"), "BROKER_URL": data.broker_url}
    return Process("shipping", env={**urls, **SEA}, quiet=True)


@pytest.fixture(scope="module")
def process(data: DataServices) -> Iterator[Process]:
    running = begin(data).await_ready()
    yield running
    running.stop()


@pytest.fixture
def shipping(process: Process) -> Iterator[httpx.Client]:
    """The service with well carriers, before and after."""
    with httpx.Client(base_url=process.url, timeout=20) as client:
        yield client
        for carrier in CARRIERS:
            make(client, carrier)
        eventually(lambda: client.get("/v1/invariants").json()["holds"], within=SOON, what="all laws hold")


def make(client: httpx.Client, carrier: str, delay: str = "1ms", **how: object) -> None:
    answer = client.put(f"/v1/carriers/{carrier}/conditions", json={"delay": delay, **how})
    assert answer.status_code == 200, answer.text


def new_order() -> str:
    return f"order-{next(numbers)}"


def requested(order: str, country: str = "DE") -> Envelope:
    items = [{"sku": "rope-01", "quantity": 2}]
    return envelope("ShipmentRequested", {"orderId": order, "items": items, "address": {**ADDRESS, "country": country}})


def placed(order: str, saga: str = "choreographed") -> Envelope:
    items = [{"sku": "rope-01", "quantity": 2, "price": {"amount": 999, "currency": "EUR"}}]
    payload = {"orderId": order, "customer": "ada", "saga": saga, "items": items, "total": TOTAL, "address": ADDRESS}
    return envelope("OrderPlaced", payload)


def charged(order: str, **fields: str) -> Envelope:
    return envelope("PaymentCharged", {"orderId": order, "paymentId": "p-1", "amount": TOTAL, **fields})


def cancelled(order: str) -> Envelope:
    return about("OrderCancelled", order, "ada", reason="changed their mind")


def shipment(client: httpx.Client, order: str) -> dict[str, Any]:
    answer = client.get(f"/v1/shipments/{order}")
    return dict(answer.json()) if answer.is_success else {"status": None}


def await_status(client: httpx.Client, order: str, status: str) -> dict[str, Any]:
    eventually(lambda: shipment(client, order)["status"] == status, within=SOON, what=f"{order} is {status}")
    return shipment(client, order)


def await_taken(client: httpx.Client, order: str) -> dict[str, Any]:
    eventually(lambda: shipment(client, order)["status"] in TAKEN, within=SOON, what=f"a carrier takes {order}")
    return shipment(client, order)


def told(data: DataServices, order: str) -> list[Envelope]:
    return [one for one in heard(data.broker_url, "shop.shipping.>") if one.payload["orderId"] == order]


def test_a_request_is_booked_once_with_the_cheapest_carrier_and_told(
    shipping: httpx.Client, data: DataServices
) -> None:
    order = new_order()
    asked, again = requested(order), requested(order)
    publish(data.broker_url, [asked, asked, again])
    found = await_taken(shipping, order)
    assert found["carrier"] == "coaster"
    booked = eventually(lambda: told(data, order), within=SOON)[0]
    assert booked.event_type == "ShipmentBooked"
    assert booked.payload["trackingCode"] == found["trackingCode"]
    [cause] = [one for one in (asked, again) if one.event_id == booked.metadata.causation_id]
    assert booked.metadata.correlation_id == cause.metadata.correlation_id
    assert [one.event_type for one in told(data, order)].count("ShipmentBooked") == 1


def test_in_the_choreographed_flow_an_order_is_shipped_once_it_is_paid(
    shipping: httpx.Client, data: DataServices
) -> None:
    paid_last, paid_first, unpaid, led = (new_order() for _ in range(4))
    publish(
        data.broker_url,
        [
            placed(unpaid),
            placed(led, "orchestrated"),
            charged(led, saga="orchestrated"),
            placed(paid_last),
            charged(paid_last),
            charged(paid_first),
            placed(paid_first),
        ],
    )
    for order in (paid_last, paid_first):
        await_taken(shipping, order)
    assert shipment(shipping, unpaid)["status"] == "awaited"
    assert shipment(shipping, led)["status"] is None, "orders asks for that one"


def test_a_parcel_is_followed_to_its_door(shipping: httpx.Client, data: DataServices) -> None:
    make(shipping, "coaster", failPercent=100)
    publish(data.broker_url, [requested(order := new_order(), country="FR")])  # which leaves albatross, the fast one
    found = await_status(shipping, order, "delivered")
    tracked = shipping.get(f"/v1/tracking/{found['trackingCode']}").json()
    assert [step["status"] for step in tracked["steps"]] == ["requested", "booked", "dispatched", "delivered"]
    eventually(lambda: len(told(data, order)) == 3, within=SOON)
    assert [one.event_type for one in told(data, order)] == [
        "ShipmentBooked",
        "ShipmentDispatched",
        "ShipmentDelivered",
    ]


def test_a_carrier_that_hangs_keeps_nobody_else_waiting(shipping: httpx.Client, data: DataServices) -> None:
    make(shipping, "coaster", hang=True)
    orders = [new_order() for _ in range(12)]
    publish(data.broker_url, [requested(order) for order in orders])

    def with_another() -> int:
        return sum(shipment(shipping, order).get("carrier") in ("dray", "albatross") for order in orders)

    eventually(lambda: with_another() >= 8, within=8, what="all are taken but those four that the hanging carrier has")
    quotes = shipping.post("/v1/quotes", json={"country": "DE", "units": 2}).json()
    assert [quote["carrier"] for quote in quotes["quotes"]] == ["dray", "albatross"]
    assert list(quotes["missing"]) == ["coaster"]


def test_a_carrier_that_fails_is_tried_again_and_then_passed_over(shipping: httpx.Client, data: DataServices) -> None:
    make(shipping, "coaster", failPercent=100)
    publish(data.broker_url, [requested(order := new_order())])
    assert await_taken(shipping, order)["carrier"] == "dray"


def test_where_no_carrier_goes_that_is_told_and_nothing_stays_booked(
    shipping: httpx.Client, data: DataServices
) -> None:
    for carrier in CARRIERS:
        make(shipping, carrier, failPercent=100)
    publish(data.broker_url, [requested(order := new_order())])
    reason = await_status(shipping, order, "failed")["reason"]
    assert all(carrier in reason for carrier in CARRIERS)
    [failed] = eventually(lambda: told(data, order), within=SOON)
    assert (failed.event_type, failed.payload["reason"]) == ("ShipmentFailed", reason)


def test_a_cancelled_order_is_taken_back_from_its_carrier(shipping: httpx.Client, data: DataServices) -> None:
    publish(data.broker_url, [requested(order := new_order())])
    await_taken(shipping, order)
    publish(data.broker_url, [cancelled(order)])
    await_status(shipping, order, "cancelled")
    eventually(lambda: shipping.get("/v1/invariants").json()["holds"], within=SOON, what="no carrier has it")


def test_a_cancellation_that_overtakes_the_request_counts(shipping: httpx.Client, data: DataServices) -> None:
    order, other = new_order(), new_order()
    publish(data.broker_url, [cancelled(order)])
    await_status(shipping, order, "cancelled")
    publish(data.broker_url, [requested(order), requested(other)])
    await_taken(shipping, other)
    assert shipment(shipping, order)["status"] == "cancelled"


def test_what_is_withdrawn_is_never_shipped_and_what_a_carrier_has_is_not_withdrawn(
    shipping: httpx.Client, data: DataServices
) -> None:
    early, late = new_order(), new_order()
    assert shipping.delete(f"/v1/shipments/{early}").status_code == 204
    publish(data.broker_url, [requested(early), requested(late)])
    await_status(shipping, late, "dispatched")
    assert shipment(shipping, early)["status"] == "cancelled"
    answer = shipping.delete(f"/v1/shipments/{late}")
    assert (answer.status_code, answer.json()["title"]) == (409, "Too late")


def test_a_process_that_is_killed_while_a_carrier_thinks_books_once_all_the_same(
    shipping: httpx.Client, data: DataServices
) -> None:
    for carrier in CARRIERS:
        make(shipping, carrier, delay="700ms")
    doomed = begin(data).await_ready()
    orders = [new_order() for _ in range(6)]
    publish(data.broker_url, [requested(order) for order in orders])
    eventually(lambda: shipment(shipping, orders[-1])["status"] == "requested", within=SOON, every=0.02)
    doomed.signal(signal.SIGKILL)
    doomed.wait(10)
    for order in orders:
        await_taken(shipping, order)


def test_who_has_the_tracking_code_learns_nothing_else(shipping: httpx.Client) -> None:
    assert shipping.get("/v1/tracking/XX-unknown").status_code == 404
    assert shipping.get("/v1/shipments/unknown").status_code == 404
    assert shipping.put("/v1/carriers/titanic/conditions", json={"delay": "1s"}).status_code == 404
    assert shipping.put("/v1/carriers/dray/conditions", json={"delay": 8}).status_code == 422


async def test_migrations_make_the_tables_that_the_code_knows(data: DataServices) -> None:
    database = Database(data.database_url("shipping"))
    try:
        async with database.transaction() as session:
            known = (tables.META, outbox.TABLES, inbox.TABLES)
            found = await session.run_sync(lambda sync: differences(sync, *known))
    finally:
        await database.close()
    assert found == []


def test_it_runs_alone_without_postgres_and_broker(start: Start) -> None:
    with httpx.Client(base_url=start("shipping").url) as alone:

        def quoted() -> bool:
            """All carriers, also on a machine where one of them doesn't answer within its second."""
            return len(alone.post("/v1/quotes", json={"country": "DE", "units": 2}).json()["quotes"]) == 3

        assert eventually(quoted, within=30)
        validate(alone.get("/openapi.json").json())
