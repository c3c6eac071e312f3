"""Messages move orders: once each, in whatever order they come, in both flows."""

import pytest

from orders.application.coordinator import Heard
from orders.application.ordering import TooEarlyError
from orders.domain.saga import Done, Refused, Undone
from support.ordering import (
    CHOREOGRAPHED,
    CLICK,
    PAY,
    RESERVE,
    ROPES,
    SHIP,
    Ground,
    Pod,
    Shop,
    confirmed,
    state,
)


async def test_news_of_a_parcel_may_overtake_its_booking_but_not_the_confirmation(pod: Pod, shop: Shop) -> None:
    order = await pod.ordering.place(ROPES, key=None, trail=CLICK)
    shop.silent("commit")
    with pytest.raises(TooEarlyError):
        await pod.ordering.delivered(order.id, "m-1")
    await pod.errands.all()
    shop.says.clear()
    pod.clock.forward(2)
    await pod.look()
    await pod.ordering.delivered(order.id, "m-1")
    assert await state(pod, order) == ("delivered", "completed")


async def test_a_message_that_comes_twice_counts_once(pod: Pod, ground: Ground) -> None:
    order = await confirmed(pod)
    before = await pod.ordering.saga(order.id)
    for message in (f"booked-{order.id}", "another"):
        assert await pod.coordinator.hear(order.id, Heard(message, Done(SHIP)))
    assert (await ground.told()).count("OrderConfirmed") == 1
    after = await pod.ordering.saga(order.id)
    assert before is not None
    assert after is not None
    assert (after.status, after.completed) == (before.status, before.completed)


async def test_a_message_about_an_unknown_order_is_told(pod: Pod) -> None:
    assert not await pod.coordinator.hear("nobody", Heard("m-1", Done(SHIP)))
    assert await pod.coordinator.cancel("nobody", "no such order", patience=5) is None
    assert await pod.ordering.find("nobody") is None


async def test_a_promised_payment_is_waited_for(pod: Pod, shop: Shop, ground: Ground) -> None:
    shop.says["charge"] = "later"
    order = await pod.ordering.place(ROPES, key=None, trail=CLICK)
    assert await ground.told() == ["OrderPlaced"], "what isn't paid isn't sent"
    await pod.coordinator.hear(order.id, Heard("m-1", Done(PAY)))
    assert await ground.told() == ["OrderPlaced", "ShipmentRequested"]


async def test_a_choreographed_order_is_told_of_and_listens(pod: Pod, shop: Shop, ground: Ground) -> None:
    order = await pod.ordering.place(CHOREOGRAPHED, key=None, trail=CLICK)
    assert shop.calls == []
    for step in (PAY, RESERVE, SHIP):
        await pod.coordinator.hear(order.id, Heard(f"{step}-done", Done(step)))
    assert await ground.told() == ["OrderPlaced", "OrderConfirmed"]
    assert await state(pod, order) == ("confirmed", "completed")
    assert shop.calls == [], "nobody is asked"


async def test_a_choreographed_order_whose_payment_failed_is_over_when_its_stock_is_back(
    pod: Pod, ground: Ground
) -> None:
    order = await pod.ordering.place(CHOREOGRAPHED, key=None, trail=CLICK)
    await pod.coordinator.hear(order.id, Heard("m-1", Done(RESERVE)))
    await pod.coordinator.hear(order.id, Heard("m-2", Refused(PAY, "declined")))
    assert await state(pod, order) == ("cancelled", "compensating")
    await pod.coordinator.hear(order.id, Heard("m-3", Undone(RESERVE)))
    assert await state(pod, order) == ("cancelled", "compensated")
    assert await ground.told() == ["OrderPlaced", "OrderCancelled"]
