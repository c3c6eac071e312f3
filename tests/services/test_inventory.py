"""Stock under many hands: two processes of inventory on one Postgres, events over a real NATS."""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count, cycle
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from catalog.products import Catalog
from chassis import idempotency, inbox, outbox
from chassis.database import Database
from chassis.events import Envelope
from chassis.local import Process
from chassis.local_data import DataServices, data_services
from chassis.migrations import differences
from inventory import tables
from support.hearing import heard
from support.processes import Start
from support.shop_events import ADDRESS, TOTAL, about, envelope, publish
from support.waiting import always, eventually

SOON = 15.0
numbers = count(1)


@pytest.fixture(scope="module")
def data() -> Iterator[DataServices]:
    """A broker that no other inventory listens to."""
    with data_services() as running:
        env = {**os.environ, "DATABASE_URL": running.database_url("inventory")}
        subprocess.run([sys.executable, "-m", "chassis", "migrate", "inventory"], check=True, env=env)
        yield running


@pytest.fixture(scope="module")
def processes(data: DataServices) -> Iterator[dict[str, Process]]:
    """Three processes on one database; the hasty one's reservations hold for a moment only, so it takes no events."""
    alone = {"DATABASE_URL": data.database_url("inventory"), "SUPPLIER_LEAD_TIME": "100ms"}
    env = {**alone, "BROKER_URL": data.broker_url}
    started = {
        "one": Process("inventory", env=env, quiet=True),
        "other": Process("inventory", env=env, quiet=True),
        "hasty": Process("inventory", env={**alone, "RESERVATION_TTL": "200ms"}, quiet=True),
    }
    try:
        yield {name: process.await_ready() for name, process in started.items()}
    finally:
        for process in started.values():
            process.stop()


@pytest.fixture(scope="module")
def clients(processes: dict[str, Process]) -> Iterator[list[httpx.Client]]:
    """Two processes of inventory, as a load balancer has them."""
    opened = [httpx.Client(base_url=processes[name].url, timeout=20) for name in ("one", "other")]
    yield opened
    for client in opened:
        client.close()


@pytest.fixture
def inventory(clients: list[httpx.Client]) -> httpx.Client:
    return clients[0]


@pytest.fixture
def hasty(processes: dict[str, Process]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=processes["hasty"].url, timeout=20) as client:
        yield client


@pytest.fixture(autouse=True)
def _conserved(inventory: httpx.Client) -> Iterator[None]:
    """After every test all that came in is accounted for."""
    yield
    laws = inventory.get("/v1/invariants").json()
    assert laws["holds"], [law for law in laws["checks"] if not law["holds"]]


def scarce(client: httpx.Client, units: int, warehouse: str = "kiel", sku: str | None = None) -> str:
    """Some thing of which there are so many."""
    sku = sku or f"thing-{next(numbers)}"
    answer = client.post(f"/v1/warehouses/{warehouse}/receipts", json={"sku": sku, "units": units})
    assert answer.status_code == 201, answer.text
    return sku


def new_order() -> str:
    return f"order-{next(numbers)}"


def reserve(client: httpx.Client, order: str, **units: int) -> httpx.Response:
    items = [{"sku": sku.replace("_", "-"), "quantity": quantity} for sku, quantity in units.items()]
    return client.post("/v1/reservations", json={"orderId": order, "items": items})


def reserve_one(client: httpx.Client, order: str, sku: str, quantity: int = 1) -> httpx.Response:
    return reserve(client, order, **{sku: quantity})


def stock(client: httpx.Client, sku: str) -> dict[str, Any]:
    answer = client.get(f"/v1/stock/{sku}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def status(client: httpx.Client, order: str) -> str | None:
    answer = client.get(f"/v1/reservations/{order}")
    return str(answer.json()["status"]) if answer.is_success else None


def await_status(client: httpx.Client, order: str, wanted: str) -> None:
    eventually(lambda: status(client, order) == wanted, within=SOON, what=f"{order} is {wanted}")


def at_once(tasks: Sequence[Callable[[], httpx.Response]]) -> list[httpx.Response]:
    with ThreadPoolExecutor(len(tasks)) as pool:
        return [future.result() for future in [pool.submit(task) for task in tasks]]


def test_of_fifty_who_want_the_last_one_exactly_one_gets_it(clients: list[httpx.Client]) -> None:
    sku = scarce(clients[0], 1)
    buyers = [(client, new_order()) for client, _ in zip(cycle(clients), range(50), strict=False)]
    answers = at_once([partial(reserve_one, client, order, sku) for client, order in buyers])
    assert sorted(answer.status_code for answer in answers) == [201] + 49 * [409]
    refused = next(answer.json() for answer in answers if answer.status_code == 409)
    assert refused["short"] == [{"sku": sku, "wanted": 1, "available": 0}]
    left = stock(clients[0], sku)
    assert (left["available"], left["reserved"]) == (0, 1)


def test_what_lies_in_several_warehouses_is_sold_to_the_last_unit_and_not_beyond(clients: list[httpx.Client]) -> None:
    sku = scarce(clients[0], 3)
    scarce(clients[0], 4, "bremen", sku)
    scarce(clients[0], 3, "gdynia", sku)
    buyers = [(client, new_order()) for client, _ in zip(cycle(clients), range(25), strict=False)]
    answers = at_once([partial(reserve_one, client, order, sku) for client, order in buyers])
    assert sorted(answer.status_code for answer in answers) == 10 * [201] + 15 * [409]
    assert stock(clients[0], sku)["available"] == 0


def test_orders_of_the_same_things_in_any_order_never_wait_in_a_circle(clients: list[httpx.Client]) -> None:
    skus = [scarce(clients[0], 1000) for _ in range(5)]
    chance = random.Random(5)  # noqa: S311 - picks baskets
    baskets = [(client, chance.sample(skus, 4)) for client, _ in zip(cycle(clients), range(40), strict=False)]
    answers = at_once([partial(reserve, client, new_order(), **dict.fromkeys(basket, 1)) for client, basket in baskets])
    assert {answer.status_code for answer in answers} == {201}
    assert sum(stock(clients[0], sku)["reserved"] for sku in skus) == 40 * 4


def test_an_order_comes_from_one_warehouse_if_one_has_it_all(inventory: httpx.Client) -> None:
    sku = scarce(inventory, 2)
    scarce(inventory, 9, "gdynia", sku)
    picks = reserve_one(inventory, new_order(), sku, 5).json()["picks"]
    assert picks == [{"sku": sku, "warehouse": "gdynia", "units": 5}]
    parted = reserve_one(inventory, new_order(), sku, 6).json()["picks"]
    assert [(pick["warehouse"], pick["units"]) for pick in parted] == [("gdynia", 4), ("kiel", 2)]


def test_the_same_order_asked_for_again_holds_its_goods_once(clients: list[httpx.Client]) -> None:
    sku, order = scarce(clients[0], 10), new_order()
    asking = [partial(reserve_one, client, order, sku, 3) for client in 6 * clients]
    answers = at_once(asking)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert stock(clients[0], sku)["reserved"] == 3
    assert reserve_one(clients[0], order, sku, 4).status_code == 422, "an order's items don't change"


def test_a_release_frees_the_goods_once_and_bars_what_comes_late(clients: list[httpx.Client]) -> None:
    sku, order = scarce(clients[0], 5), new_order()
    reserve_one(clients[0], order, sku, 2)
    answers = at_once([partial(client.delete, f"/v1/reservations/{order}") for client in 4 * clients])
    assert {answer.status_code for answer in answers} == {204}
    assert stock(clients[0], sku)["available"] == 5
    never_asked = new_order()
    assert clients[0].delete(f"/v1/reservations/{never_asked}").status_code == 204
    for barred in (order, never_asked):
        assert reserve_one(clients[1], barred, sku, 2).status_code == 409
    assert stock(clients[0], sku)["available"] == 5


def test_a_reservation_that_nobody_pays_expires(hasty: httpx.Client) -> None:
    sku, order = scarce(hasty, 1), new_order()
    reserve_one(hasty, order, sku)
    eventually(lambda: stock(hasty, sku)["available"] == 1, within=SOON, what="the goods are free again")
    assert status(hasty, order) == "expired"


def test_one_that_is_paid_does_not_expire(hasty: httpx.Client) -> None:
    sku, paid, other = scarce(hasty, 2), new_order(), new_order()
    reserve_one(hasty, paid, sku)
    assert hasty.post(f"/v1/reservations/{paid}/commit").json()["status"] == "committed"
    reserve_one(hasty, other, sku)
    await_status(hasty, other, "expired")
    assert status(hasty, paid) == "committed"
    assert stock(hasty, sku)["reserved"] == 1


def test_a_payment_after_expiry_takes_the_goods_anew_or_says_that_they_are_gone(hasty: httpx.Client) -> None:
    sku, late, too_late = scarce(hasty, 1), new_order(), new_order()
    for order in (late, too_late):
        reserve_one(hasty, order, sku)
        await_status(hasty, order, "expired")
    assert hasty.post(f"/v1/reservations/{late}/commit").json()["status"] == "committed"
    answer = hasty.post(f"/v1/reservations/{too_late}/commit")
    assert answer.status_code == 409
    assert answer.json()["type"].endswith(":out-of-stock")


def test_scarce_goods_are_told_bought_and_told_again(hasty: httpx.Client, data: DataServices) -> None:
    sku = scarce(hasty, 10)
    policy = {"reorderPoint": 4, "orderUpTo": 20}
    assert hasty.put(f"/v1/warehouses/kiel/stock/{sku}/policy", json=policy).json()["low"] is False
    reserve_one(hasty, order := new_order(), sku, 6)
    hasty.post(f"/v1/reservations/{order}/commit")
    eventually(lambda: stock(hasty, sku)["available"] == 20, within=SOON, what="the shelf is full again")
    eventually(lambda: len(told(data, "*", sku=sku)) == 3, within=SOON, what="all three are told")
    assert [(one.event_type, one.payload["available"]) for one in told(data, "*", sku=sku)] == [
        ("StockReplenished", 10),
        ("StockLow", 4),
        ("StockReplenished", 20),
    ]
    assert stock(hasty, sku)["warehouses"][0]["low"] is False


def test_a_receipt_sent_again_with_its_key_counts_once(inventory: httpx.Client) -> None:
    sku, headers = f"thing-{next(numbers)}", {"idempotency-key": f"truck-{next(numbers)}"}
    path, truck = "/v1/warehouses/bremen/receipts", {"sku": sku, "units": 7}
    first, again = (inventory.post(path, json=truck, headers=headers) for _ in range(2))
    assert first.json() == again.json()
    assert stock(inventory, sku)["received"] == 7
    assert inventory.post(path, json={"sku": sku, "units": 8}, headers=headers).status_code == 422


def told(data: DataServices, event_type: str, **payload: object) -> list[Envelope]:
    """What inventory has told with these things in it."""
    found = heard(data.broker_url, f"shop.inventory.{event_type}")
    return [one for one in found if payload.items() <= one.payload.items()]


def placed(order: str, sku: str, quantity: int = 1, saga: str = "choreographed") -> Envelope:
    items = [{"sku": sku, "quantity": quantity, "price": {"amount": 999, "currency": "EUR"}}]
    payload = {"orderId": order, "customer": "ada", "saga": saga, "items": items, "total": TOTAL, "address": ADDRESS}
    return envelope("OrderPlaced", payload)


def charged(order: str) -> Envelope:
    return envelope("PaymentCharged", {"orderId": order, "paymentId": f"p-{order}", "amount": TOTAL})


def shipment(event_type: str, order: str) -> Envelope:
    payload = {"orderId": order, "shipmentId": f"s-{order}", "carrier": "dray", "trackingCode": f"DR-{order}"}
    return envelope(event_type, payload)


def cancelled(order: str) -> Envelope:
    return about("OrderCancelled", order, "ada", reason="changed their mind")


def test_an_order_that_nobody_leads_reserves_commits_and_leaves_by_events_alone(
    inventory: httpx.Client, data: DataServices
) -> None:
    sku, order = scarce(inventory, 5), new_order()
    first = placed(order, sku, 2)
    publish(data.broker_url, [first, first])
    await_status(inventory, order, "held")
    publish(data.broker_url, [paid := charged(order), paid])
    await_status(inventory, order, "committed")
    publish(
        data.broker_url, [left := shipment("ShipmentDispatched", order), left, shipment("ShipmentDelivered", order)]
    )
    await_status(inventory, order, "shipped")
    counts = stock(inventory, sku)
    assert (counts["available"], counts["reserved"], counts["shipped"]) == (3, 0, 2)
    [reserved] = eventually(lambda: told(data, "StockReserved", orderId=order), within=SOON)
    assert reserved.payload["items"] == [{"sku": sku, "quantity": 2}]
    assert reserved.payload["saga"] == "choreographed"
    assert reserved.metadata.causation_id == first.event_id
    assert reserved.metadata.correlation_id == first.metadata.correlation_id


def test_what_is_not_there_is_told(inventory: httpx.Client, data: DataServices) -> None:
    sku, order = scarce(inventory, 1), new_order()
    publish(data.broker_url, [placed(order, sku, 2)])
    [failed] = eventually(lambda: told(data, "StockReservationFailed", orderId=order), within=SOON)
    assert f"2 of {sku} (free: 1)" in failed.payload["reason"]
    assert stock(inventory, sku)["available"] == 1


def test_an_orchestrated_order_is_left_to_orders(inventory: httpx.Client, data: DataServices) -> None:
    sku, led, led_by_nobody = scarce(inventory, 5), new_order(), new_order()
    reserve_one(inventory, led, sku)
    failed = {"paymentId": "p-1", "amount": TOTAL, "reason": "declined"}
    publish(
        data.broker_url,
        [
            placed(other := new_order(), sku, saga="orchestrated"),
            envelope("PaymentFailed", {"orderId": led, **failed}),
            placed(led_by_nobody, sku),
        ],
    )
    await_status(inventory, led_by_nobody, "held")
    assert status(inventory, other) is None
    assert status(inventory, led) == "held"


@pytest.mark.parametrize("event_type", ["PaymentFailed", "ShipmentFailed", "OrderCancelled"])
def test_a_failure_further_on_gives_the_goods_back(
    inventory: httpx.Client, data: DataServices, event_type: str
) -> None:
    sku, order = scarce(inventory, 5), new_order()
    publish(data.broker_url, [placed(order, sku)])
    await_status(inventory, order, "held")
    failures = {
        "PaymentFailed": envelope(
            "PaymentFailed", {"orderId": order, "paymentId": "p-1", "amount": TOTAL, "reason": "declined"}
        ),
        "ShipmentFailed": envelope("ShipmentFailed", {"orderId": order, "shipmentId": "s-1", "reason": "strike"}),
        "OrderCancelled": cancelled(order),
    }
    publish(data.broker_url, [failures[event_type]])
    await_status(inventory, order, "released")
    assert stock(inventory, sku)["available"] == 5
    [released] = eventually(lambda: told(data, "StockReleased", orderId=order), within=SOON)
    assert released.payload["items"] == [{"sku": sku, "quantity": 1}]


def test_a_cancellation_that_overtakes_its_order_counts(inventory: httpx.Client, data: DataServices) -> None:
    sku, order = scarce(inventory, 5), new_order()
    publish(data.broker_url, [cancelled(order)])
    await_status(inventory, order, "released")
    publish(data.broker_url, [placed(order, sku)])
    eventually(lambda: told(data, "StockReservationFailed", orderId=order), within=SOON)
    assert stock(inventory, sku)["available"] == 5


def test_who_cancels_again_is_told_again_that_the_goods_are_free(inventory: httpx.Client, data: DataServices) -> None:
    """Orders may hear of a release before it hears of the reservation; then it waits for what it took for nothing."""
    sku, order = scarce(inventory, 5), new_order()
    publish(data.broker_url, [placed(order, sku)])
    await_status(inventory, order, "held")
    for times in (1, 2):
        publish(data.broker_url, [cancelled(order)])
        eventually(lambda: len(told(data, "StockReleased", orderId=order)) == times, within=SOON)  # noqa: B023 - called at once
    assert stock(inventory, sku)["available"] == 5


def test_what_left_and_was_cancelled_comes_back_whichever_is_heard_first(
    inventory: httpx.Client, data: DataServices
) -> None:
    sku = scarce(inventory, 5)
    for reverse in (False, True):
        order = new_order()
        reserve_one(inventory, order, sku)
        inventory.post(f"/v1/reservations/{order}/commit")
        events = [shipment("ShipmentDispatched", order), cancelled(order)]
        publish(data.broker_url, reversed(events) if reverse else events)
        await_status(inventory, order, "released")
    always(lambda: stock(inventory, sku)["available"] == 5, lasting=0.3)


def test_a_payment_heard_after_expiry_and_sale_is_told_as_a_failure(hasty: httpx.Client, data: DataServices) -> None:
    sku, late, quick = scarce(hasty, 1), new_order(), new_order()
    reserve_one(hasty, late, sku)
    await_status(hasty, late, "expired")
    reserve_one(hasty, quick, sku)
    hasty.post(f"/v1/reservations/{quick}/commit")
    publish(data.broker_url, [charged(late)])
    [failed] = eventually(lambda: told(data, "StockReservationFailed", orderId=late), within=SOON)
    assert "after the reservation had expired" in failed.payload["reason"]


def test_there_is_opening_stock_of_all_that_the_catalog_sells(inventory: httpx.Client) -> None:
    for sku in (product.sku for product in Catalog.bundled().find()):
        places = stock(inventory, sku)["warehouses"]
        assert [place["warehouse"] for place in places] == ["kiel", "bremen", "gdynia"]
        assert all(place["received"] == 1_000_000 for place in places)


async def test_migrations_make_the_tables_that_the_code_knows(data: DataServices) -> None:
    database = Database(data.database_url("inventory"))
    try:
        async with database.transaction() as session:
            known = (tables.META, outbox.TABLES, inbox.TABLES, idempotency.TABLES)
            found = await session.run_sync(lambda sync: differences(sync, *known))
    finally:
        await database.close()
    assert found == []


def test_it_runs_alone_without_postgres_and_broker(start: Start) -> None:
    with httpx.Client(base_url=start("inventory").url) as alone:
        assert reserve(alone, "o-1", rope_01=2, bell_01=1).status_code == 201
        assert stock(alone, "rope-01")["reserved"] == 2
        assert alone.get("/v1/invariants").json()["holds"]
        validate(alone.get("/openapi.json").json())
