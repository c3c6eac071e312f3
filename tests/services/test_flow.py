"""The flow of an order through the whole shop, with everything happening to it that happens to messages and processes.

Processes on loopback with a real Postgres and a real NATS. After each test every invariant of the shop must hold.
"""

import asyncio
import signal
from collections.abc import Iterator

import httpx
import nats
import pytest

from chassis.ids import new_id
from support.shopping import FLOWS, Flow, Shopping, came_home, sail, shopping
from support.waiting import eventually

SEED = 20261121
ORDERS = 200
MALFORMED = "malformed"


@pytest.fixture(scope="module")
def at_sea() -> Iterator[Shopping]:
    with shopping() as opened:
        yield opened


@pytest.fixture
def visit(at_sea: Shopping) -> Iterator[Shopping]:
    """The shop, in which everything is right again after the test."""
    yield at_sea
    at_sea.all_holds(MALFORMED)


@pytest.fixture
def customer() -> str:
    return f"c-{new_id()[-12:]}"


@pytest.mark.parametrize("saga", FLOWS)
def test_an_order_arrives_and_its_customer_is_told_each_step_once(visit: Shopping, customer: str, saga: Flow) -> None:
    order = visit.place(customer, saga=saga)
    assert visit.order(order)["saga"] == saga
    visit.await_status(order, "delivered")
    eventually(lambda: {"placed", "delivered"} <= set(visit.told(order)), within=10, every=0.1)
    told = visit.told(order)
    assert len(told) == len(set(told))
    assert told == sorted(told, key=["placed", "confirmed", "shipped", "delivered"].index)


@pytest.mark.parametrize("saga", FLOWS)
def test_an_order_that_is_not_to_be_paid_gives_everything_back(visit: Shopping, customer: str, saga: Flow) -> None:
    rule = f'rule {customer}: deny when customer == "{customer}" because "not today"'
    rules = f"{visit.shop['payments'].url}/v1/fraud-rules"
    assert httpx.put(rules, content=rule, headers={"content-type": "text/plain"}).is_success
    order = visit.place(customer, saga=saga)
    visit.await_status(order, "cancelled")
    eventually(lambda: visit.told(order) == ["placed", "cancelled"], within=10, every=0.1)


def test_a_click_is_followed_to_its_last_notification(visit: Shopping, customer: str) -> None:
    answer = visit.placing(customer, saga="choreographed")
    click, order = answer.headers["x-request-id"], answer.json()["id"]
    visit.await_status(order, "delivered")

    def trail() -> str:
        drawn = httpx.get(f"{visit.shop['notifications'].url}/v1/trails/{click}").text
        assert "email sent: Your order has arrived" in drawn, drawn
        return drawn

    drawn = eventually(trail, within=10, every=0.2)
    for step in (
        "OrderPlaced",
        "StockReserved",
        "PaymentCharged",
        "ShipmentBooked",
        "OrderConfirmed",
        "OrderDelivered",
    ):
        assert drawn.count(f"─ {step} ") == 1, drawn
    depth = {line.strip("│├└─ ").split("  ")[0]: line.index("─") for line in drawn.splitlines()[1:]}
    way = ["OrderPlaced", "StockReserved", "PaymentCharged", "ShipmentDispatched", "OrderShipped"]
    depths = [depth[step] for step in way]
    assert depths == sorted(set(depths)), drawn


def test_everything_said_once_more_and_backwards_changes_nothing(visit: Shopping, customer: str) -> None:
    """Duplicates and the wrong order at once: every message of the stream comes again, the newest first."""
    orders = [visit.place(customer, saga=saga) for saga in FLOWS]
    visit.all_ended(orders)
    visit.all_holds(MALFORMED)
    before = [(visit.order(one), visit.told(one)) for one in orders]
    said = asyncio.run(say_again(visit.data.broker_url))
    assert said >= 20
    all_read(visit)
    visit.all_holds(MALFORMED)
    assert [(visit.order(one), visit.told(one)) for one in orders] == before
    assert visit.told_twice() == []


async def say_again(url: str) -> int:
    """Publish what the stream has, the last first, under no id, so that the broker lets all of it through."""
    client = await nats.connect(url)
    try:
        jetstream = client.jetstream()
        state = (await jetstream.stream_info("SHOP")).state
        messages = [
            await jetstream.get_msg("SHOP", sequence) for sequence in range(state.first_seq, state.last_seq + 1)
        ]
        for message in reversed(messages):
            await jetstream.publish(str(message.subject), message.data or b"")
        return len(messages)
    finally:
        await client.close()


def all_read(visit: Shopping) -> None:
    """Wait until no consumer has anything left to read."""

    async def lags() -> list[str]:
        client = await nats.connect(visit.data.broker_url)
        try:
            found = await client.jetstream().consumers_info("SHOP")
            return [f"{one.name}: {one.num_pending}" for one in found if one.num_pending or one.num_ack_pending]
        finally:
            await client.close()

    def read() -> bool:
        left = asyncio.run(lags())
        assert not left, left
        return True

    eventually(read, within=30, every=0.5, what="all messages are read")


def test_a_service_that_stands_still_delays_orders_and_loses_none(visit: Shopping, customer: str) -> None:
    visit.shop["shipping"].signal(signal.SIGSTOP)
    try:
        orders = [visit.place(customer, saga=saga) for saga in FLOWS]
        assert all(visit.order(one)["status"] in {"pending", "confirmed"} for one in orders), "checkout doesn't wait"
    finally:
        visit.shop["shipping"].signal(signal.SIGCONT)
    visit.all_ended(orders)


def test_messages_that_nobody_can_read_are_put_aside_and_orders_go_on(visit: Shopping, customer: str) -> None:
    subjects = ["shop.orders.OrderPlaced", "shop.payments.PaymentCharged", "shop.shipping.ShipmentBooked"]

    async def litter() -> None:
        client = await nats.connect(visit.data.broker_url)
        try:
            for subject in subjects:
                for text in (b"", b"\xff\xfe", b"[]", b'{"eventId": 1}'):
                    await client.jetstream().publish(subject, text)
        finally:
            await client.close()

    asyncio.run(litter())
    orders = [visit.place(customer, saga=saga) for saga in FLOWS]
    visit.all_ended(orders)
    found = httpx.get(f"{visit.shop['notifications'].url}/v1/dead-letters").json()["deadLetters"]
    assert {one["consumer"].split(".")[0] for one in found} >= {"inventory", "payments", "shipping", "notifications"}
    assert all(one["cause"].startswith(MALFORMED) for one in found)


def test_a_broker_that_dies_delays_events_and_loses_none(visit: Shopping, customer: str) -> None:
    orders = [visit.place(customer, saga=saga, key=f"{customer}-{saga}-before") for saga in FLOWS]
    visit.data.nats.kill()
    orders += [visit.place(customer, saga=saga, key=f"{customer}-{saga}-without") for saga in FLOWS]
    visit.data.nats.start()
    visit.all_ended(orders, within=60)


def test_a_database_that_dies_fails_orders_at_once_and_loses_none(visit: Shopping, customer: str) -> None:
    orders = [visit.place(customer, saga=saga, key=f"{customer}-{saga}-before") for saga in FLOWS]
    visit.data.postgres.kill()
    body = {"customer": customer, "items": [{"sku": "rope-01", "quantity": 1}]}
    answer = httpx.post(f"{visit.url}/api/v1/orders", json=body, timeout=20)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    visit.data.postgres.start()
    orders += [visit.place(customer, saga=saga, key=f"{customer}-{saga}-after") for saga in FLOWS]
    visit.all_ended(orders, within=60)


def test_no_order_is_lost_while_each_service_is_killed_once(visit: Shopping) -> None:
    """The short form of tests/soak/test_shop.py, which takes ten times as long at least.

    An order takes two tenths of a second of a core: these keep both cores of a small machine busy for half a minute,
    2,000 would for five, which is as long as all other tests need.
    """
    voyage = sail(visit, orders=ORDERS, kills=len(visit.shop), seed=SEED)
    assert len(voyage.orders) == ORDERS
    assert {one.part for one in voyage.kills} == set(visit.shop)
    came_home(visit, voyage, MALFORMED)
