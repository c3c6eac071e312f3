"""Placing orders, with and without keys, and finding them again."""

import asyncio
from datetime import UTC, datetime

import pytest

from chassis.inbox import REMEMBERED
from orders.application.coordinator import Heard
from orders.application.ordering import Wish
from orders.domain.errors import UnknownProductsError
from orders.domain.order import Item, Status
from orders.domain.saga import Done
from orders.ports.storage import KeyReusedError
from support.ordering import (
    CHOREOGRAPHED,
    CLICK,
    PAY,
    RESERVE,
    ROPES,
    SHIP,
    Clock,
    Ground,
    Pod,
    Shop,
    state,
)


async def test_an_order_is_reserved_and_paid_at_once_and_confirmed_when_its_shipment_is_booked(
    pod: Pod, shop: Shop, ground: Ground
) -> None:
    order = await pod.ordering.place(ROPES, key=None, trail=CLICK)
    assert shop.calls == ["reserve", "charge"]
    assert await ground.told() == ["OrderPlaced", "ShipmentRequested"]
    assert await state(pod, order) == ("pending", "running")
    await pod.coordinator.hear(order.id, Heard("m-1", Done(SHIP)))
    await pod.errands.all()
    assert shop.calls == ["reserve", "charge", "commit"]
    assert await ground.told() == ["OrderPlaced", "ShipmentRequested", "OrderConfirmed"]
    assert await state(pod, order) == ("confirmed", "completed")


async def test_what_was_stored_is_read_as_it_was(pod: Pod) -> None:
    order = await pod.ordering.place(Wish("midas", [Item("rope-01", 3), Item("rope-02", 1)]), key=None, trail=CLICK)
    assert order.discount is not None
    found = await pod.ordering.find(order.id)
    assert found == order
    saga = await pod.ordering.saga(order.id)
    assert saga is not None
    assert (saga.id, saga.current, saga.completed) == (order.id, SHIP, (RESERVE, PAY))
    assert saga.trail["correlation"] == "click-1"


async def test_what_stock_or_payment_refuse_is_cancelled_with_their_reason(
    pod: Pod, shop: Shop, ground: Ground
) -> None:
    shop.refuses("charge", "declined: not enough money")
    order = await pod.ordering.place(ROPES, key=None, trail=CLICK)
    assert (order.status, order.reason) == (Status.CANCELLED, "declined: not enough money")
    assert shop.calls == ["reserve", "charge", "release"]
    assert await ground.told() == ["OrderPlaced", "OrderCancelled"]
    assert await state(pod, order) == ("cancelled", "compensated")


async def test_the_same_key_answers_the_same_whatever_became_of_the_order(pod: Pod, other: Pod, shop: Shop) -> None:
    first = await pod.ordering.place(ROPES, key="k", trail=CLICK)
    await pod.coordinator.hear(first.id, Heard("m-1", Done(SHIP)))
    await pod.errands.all()
    again = await other.ordering.place(ROPES, key="k", trail=CLICK)
    assert (again.id, again.status) == (first.id, Status.PENDING)
    shop.refuses("reserve", "out of stock")
    refused = await pod.ordering.place(ROPES, key="l", trail=CLICK)
    shop.says.clear()
    again = await other.ordering.place(ROPES, key="l", trail=CLICK)
    assert (again.id, again.status, again.reason) == (refused.id, Status.CANCELLED, "out of stock")


async def test_the_same_key_with_another_order_is_refused(pod: Pod, ground: Ground) -> None:
    await pod.ordering.place(ROPES, key="k", trail=CLICK)
    for wish in (Wish("ada", [Item("rope-01", 3)]), Wish("bob", ROPES.items), CHOREOGRAPHED):
        with pytest.raises(KeyReusedError):
            await pod.ordering.place(wish, key="k", trail=CLICK)
    assert (await ground.told()).count("OrderPlaced") == 1


async def test_of_requests_with_one_key_at_once_one_places_the_order(pod: Pod, other: Pod, shop: Shop) -> None:
    placed = await asyncio.gather(*(p.ordering.place(ROPES, key="k", trail=CLICK) for p in [pod, other] * 4))
    assert len({order.id for order in placed}) == 1
    assert (shop.calls.count("reserve"), shop.calls.count("charge")) == (1, 1)


async def test_a_checkout_waits_a_little_and_the_order_goes_on_without_it(
    ground: Ground, shop: Shop, clock: Clock
) -> None:
    pod = Pod(ground, shop, clock, patience=0.05)
    shop.says["charge"] = paid = asyncio.Event()
    order = await pod.ordering.place(ROPES, key=None, trail=CLICK)
    await shop.until("charge")
    assert order.status is Status.PENDING
    paid.set()
    await pod.errands.all()
    assert await ground.told() == ["OrderPlaced", "ShipmentRequested"]


async def test_what_cannot_be_ordered_leaves_nothing_behind(pod: Pod, ground: Ground) -> None:
    with pytest.raises(UnknownProductsError):
        await pod.ordering.place(Wish("ada", [Item("moon-01", 1)]), key="k", trail=CLICK)
    assert await ground.told() == []
    assert await pod.ordering.orders_of("ada", limit=10) == []
    order = await pod.ordering.place(ROPES, key="k", trail=CLICK)
    assert order.status is Status.PENDING, "the key is still free"


async def test_a_customers_orders_come_in_pages_and_all_of_them(pod: Pod, other: Pod) -> None:
    placed = [await p.ordering.place(ROPES, key=None, trail=CLICK) for p in (pod, other, pod, other, pod)]
    await pod.ordering.place(Wish("bob", ROPES.items), key=None, trail=CLICK)
    first = await other.ordering.orders_of("ada", limit=3)
    second = await other.ordering.orders_of("ada", limit=3, after=first[-1].id)
    assert [order.id for order in [*first, *second]] == [order.id for order in reversed(placed)]


async def test_messages_and_keys_are_forgotten_when_nobody_sends_them_any_more(pod: Pod, clock: Clock) -> None:
    clock.time = datetime.now(UTC)  # keys are stamped by the chassis
    order = await pod.ordering.place(ROPES, key="k", trail=CLICK)
    await pod.coordinator.hear(order.id, Heard("m-1", Done(SHIP)))
    await pod.errands.all()
    clock.forward(REMEMBERED.total_seconds() - 60)
    assert await pod.ordering.forget() == 0
    assert (await pod.ordering.place(ROPES, key="k", trail=CLICK)).id == order.id
    clock.forward(120)
    assert await pod.ordering.forget() == 2
    assert (await pod.ordering.place(ROPES, key="k", trail=CLICK)).id != order.id
