"""Sagas are driven by one process at a time, and by another when it dies."""

import asyncio

import pytest

from orders.application.coordinator import LEASE
from orders.domain.order import Status
from support.ordering import (
    CLICK,
    ROPES,
    Clock,
    Ground,
    Pod,
    Shop,
    state,
)


async def test_a_step_without_an_answer_is_tried_again_by_whoever_looks(pod: Pod, other: Pod, shop: Shop) -> None:
    shop.silent("charge")
    order = await pod.ordering.place(ROPES, key=None, trail=CLICK)
    assert order.status is Status.PENDING
    assert await other.look() == 0, "not yet"
    other.clock.forward(2)
    shop.says.clear()
    assert await other.look() == 1
    assert shop.calls == ["reserve", "charge", "charge"]


async def test_a_step_that_never_answers_is_taken_back_with_all_before_it_in_reverse_order(
    pod: Pod, shop: Shop, ground: Ground
) -> None:
    shop.silent("charge")
    order = await pod.ordering.place(ROPES, key=None, trail=CLICK)
    await pod.settle(order.id)
    assert shop.calls == ["reserve", *["charge"] * 6, "refund", "release"]
    assert await state(pod, order) == ("cancelled", "compensated")
    assert await ground.told() == ["OrderPlaced", "OrderCancelled"]


async def test_a_saga_whose_process_was_killed_is_taken_up_when_its_lease_is_over(
    ground: Ground, shop: Shop, clock: Clock, other: Pod
) -> None:
    pod = Pod(ground, shop, clock, patience=0.05)
    shop.says["charge"] = asyncio.Event()
    order = await pod.ordering.place(ROPES, key=None, trail=CLICK)
    await shop.until("charge")
    await pod.errands.killed()
    shop.says.clear()
    assert await other.look() == 0, "its driver may be alive"
    clock.forward(LEASE.total_seconds() + 1)
    assert await other.look() == 1
    assert shop.calls == ["reserve", "charge", "charge"]
    assert await state(other, order) == ("pending", "running")


async def test_a_process_that_stays_alive_keeps_what_it_drives(
    ground: Ground, shop: Shop, clock: Clock, other: Pod
) -> None:
    pod = Pod(ground, shop, clock, patience=0.05)
    shop.says["charge"] = paid = asyncio.Event()
    await pod.ordering.place(ROPES, key=None, trail=CLICK)
    await shop.until("charge")
    for _ in range(5):
        clock.forward(LEASE.total_seconds() * 0.6)
        await pod.coordinator.stay()
        assert await other.look() == 0
    paid.set()
    await pod.errands.all()
    assert shop.calls == ["reserve", "charge"]


async def test_a_saga_whose_driving_broke_off_is_taken_up_again_though_its_process_lives_on(
    ground: Ground, shop: Shop, clock: Clock
) -> None:
    pod = Pod(ground, shop, clock)
    shop.says["charge"] = ConnectionResetError("the database is gone")
    with pytest.raises(ConnectionResetError):
        await pod.ordering.place(ROPES, key=None, trail=CLICK)
    shop.says.clear()
    [order] = await pod.ordering.orders_of("ada", limit=1)
    for _ in range(5):
        clock.forward(LEASE.total_seconds() * 0.6)
        await pod.coordinator.stay()
    assert await pod.look() == 1
    assert shop.calls == ["reserve", "charge", "charge"]
    assert await state(pod, order) == ("pending", "running")


async def test_one_that_was_taken_for_dead_does_no_harm_when_it_wakes(
    ground: Ground, shop: Shop, clock: Clock, other: Pod
) -> None:
    pod = Pod(ground, shop, clock, patience=0.05)
    shop.says["charge"] = paid = asyncio.Event()
    order = await pod.ordering.place(ROPES, key=None, trail=CLICK)
    await shop.until("charge")
    clock.forward(LEASE.total_seconds() + 1)
    shop.refuses("charge", "declined")
    await other.look()
    assert await state(other, order) == ("cancelled", "compensated")
    paid.set()
    await pod.errands.all()
    assert shop.calls == ["reserve", "charge", "charge", "release", "refund"], "the payment that came after all is back"
    assert await state(other, order) == ("cancelled", "compensated")


async def test_no_saga_is_taken_up_by_two(pod: Pod, other: Pod, shop: Shop) -> None:
    shop.silent("reserve")
    placed = [await pod.ordering.place(ROPES, key=None, trail=CLICK) for _ in range(12)]
    pod.clock.forward(5)
    shop.says.clear()
    taken = await asyncio.gather(*(p.coordinator.take_up(limit=4) for p in [pod, other] * 3))
    await asyncio.gather(pod.errands.all(), other.errands.all())
    ids = [work.order.id for claim in taken for work in claim]
    assert sorted(ids) == sorted(order.id for order in placed)
    assert shop.calls.count("charge") == len(placed)


async def test_a_process_drives_a_saga_once_at_a_time(ground: Ground, shop: Shop, clock: Clock) -> None:
    pod = Pod(ground, shop, clock, patience=0.05)
    shop.says["charge"] = paid = asyncio.Event()
    order = await pod.ordering.place(ROPES, key=None, trail=CLICK)
    await shop.until("charge")
    await pod.coordinator.cancel(order.id, "changed my mind", patience=5)
    assert shop.calls == ["reserve", "charge"], "its own payment is under way"
    paid.set()
    await pod.errands.all()
    assert shop.calls == ["reserve", "charge", "refund", "release"]
