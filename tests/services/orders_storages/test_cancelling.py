"""What was done for an order is taken back: the parcel first, then the money, then the stock."""

import asyncio

import pytest

from orders.application.coordinator import Heard
from orders.domain.errors import WrongStateError
from orders.domain.order import Party, Status
from orders.domain.saga import Action, SagaStatus, Undone
from support.ordering import (
    CLICK,
    PAY,
    ROPES,
    Clock,
    Ground,
    Pod,
    Shop,
    confirmed,
    state,
)


async def test_a_confirmed_order_is_cancelled_at_once_and_refund_and_release_follow(
    pod: Pod, shop: Shop, ground: Ground
) -> None:
    order = await confirmed(pod)
    cancelled = await pod.coordinator.cancel(order.id, "found it cheaper", patience=5)
    assert cancelled is not None
    assert (cancelled.status, cancelled.reason) == (Status.CANCELLED, "found it cheaper")
    assert shop.calls[-3:] == ["withdraw", "refund", "release"]
    assert (await ground.told())[-1] == "OrderCancelled"
    assert await state(pod, order) == ("cancelled", "compensated")
    with pytest.raises(WrongStateError):
        await pod.coordinator.cancel(order.id, "again", patience=5)


async def test_an_order_whose_parcel_has_left_stays_confirmed(pod: Pod, shop: Shop, ground: Ground) -> None:
    order = await confirmed(pod)
    shop.says["withdraw"] = "gone"
    with pytest.raises(WrongStateError, match="a carrier has"):
        await pod.coordinator.cancel(order.id, "found it cheaper", patience=5)
    assert await state(pod, order) == ("confirmed", "completed")
    assert "refund" not in shop.calls
    assert (await ground.told())[-1] == "OrderConfirmed"


async def test_no_money_goes_back_before_the_parcel_is_withdrawn(pod: Pod, shop: Shop) -> None:
    order = await confirmed(pod)
    shop.silent("withdraw")
    cancelled = await pod.coordinator.cancel(order.id, "found it cheaper", patience=5)
    assert cancelled is not None
    assert cancelled.status is Status.CONFIRMED, "not yet"
    assert "refund" not in shop.calls
    shop.says.clear()
    await pod.settle(order.id)
    assert await state(pod, order) == ("cancelled", "compensated")
    found = await pod.ordering.find(order.id)
    assert found is not None
    assert (found.reason, found.cancelled_by) == ("found it cheaper", Party.CUSTOMER)


async def test_an_order_that_is_cancelled_while_it_is_paid_is_refunded(
    ground: Ground, shop: Shop, clock: Clock, other: Pod
) -> None:
    pod = Pod(ground, shop, clock, patience=0.05)
    shop.says["charge"] = paid = asyncio.Event()
    order = await pod.ordering.place(ROPES, key=None, trail=CLICK)
    await shop.until("charge")
    await other.coordinator.cancel(order.id, "changed my mind", patience=5)
    await other.errands.all()
    assert "refund" not in shop.calls, "who drives it sees to that"
    paid.set()
    await pod.errands.all()
    assert shop.calls == ["reserve", "charge", "refund", "release"]
    assert await state(pod, order) == ("cancelled", "compensated")


async def test_a_parcel_on_its_way_cannot_be_cancelled(pod: Pod, ground: Ground) -> None:
    order = await confirmed(pod)
    await pod.ordering.collected(order.id, "m-2")
    with pytest.raises(WrongStateError, match="shipped"):
        await pod.coordinator.cancel(order.id, "too late", patience=5)
    await pod.ordering.collected(order.id, "m-2")
    await pod.ordering.delivered(order.id, "m-3")
    assert (await ground.told())[-2:] == ["OrderShipped", "OrderDelivered"]
    saga = await pod.ordering.saga(order.id)
    assert saga is not None
    assert saga.trail == {"correlation": "click-1", "causation": "m-3"}, "each event names the one before as its cause"


async def test_a_refund_that_was_promised_is_not_told_as_done(pod: Pod, shop: Shop) -> None:
    order = await confirmed(pod)
    shop.says["refund"] = "later"
    await pod.coordinator.cancel(order.id, "found it cheaper", patience=5)
    await pod.errands.all()
    assert await state(pod, order) == ("cancelled", "compensating")
    await pod.coordinator.hear(order.id, Heard("m-9", Undone(PAY)))
    await pod.errands.all()
    assert await state(pod, order) == ("cancelled", "compensated")


async def test_a_compensation_that_keeps_failing_goes_to_people_and_on_when_they_say_so(
    pod: Pod, shop: Shop, ground: Ground
) -> None:
    order = await confirmed(pod)
    shop.silent("release")
    await pod.coordinator.cancel(order.id, "found it cheaper", patience=5)
    await pod.errands.all()
    await pod.settle(order.id)
    assert await state(pod, order) == ("cancelled", "stuck")
    assert (await ground.told())[-1] == "SagaStuck"
    assert [saga.id for saga in await pod.ordering.sagas([SagaStatus.STUCK], limit=10)] == [order.id]
    assert (await pod.ordering.unended())[SagaStatus.STUCK] == 1
    shop.says.clear()
    assert await pod.coordinator.resolve(order.id, Action.RETRY, "inventory is back") is not None
    await pod.errands.all()
    assert shop.calls.count("refund") == 1, "what was taken back is not taken back again"
    assert await state(pod, order) == ("cancelled", "compensated")
    with pytest.raises(WrongStateError):
        await pod.coordinator.resolve(order.id, Action.RETRY, "once more")
