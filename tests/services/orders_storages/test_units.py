"""A unit of work is stored as a whole or not at all, and never over what somebody else has stored."""

import pytest

from orders.domain.errors import OrderError
from orders.ports.storage import SecondOrderError, StaleError, Work
from support.ordering import (
    CLICK,
    ROPES,
    Ground,
    Pod,
    state,
)


async def test_a_unit_that_fails_stores_nothing(pod: Pod, ground: Ground) -> None:
    order = await pod.ordering.place(ROPES, key=None, trail=CLICK)
    told = await ground.told()

    async def fail() -> None:
        async with ground.storage.unit() as unit:
            work = await unit.get(order.id)
            assert work is not None
            assert await unit.first_time("m-1")
            await unit.save(work, Work(work.order.confirm(), work.saga, work.lease))
            raise OrderError("something else is wrong")

    with pytest.raises(OrderError):
        await fail()
    assert await state(pod, order) == ("pending", "running")
    assert await ground.told() == told
    async with ground.storage.unit() as unit:
        assert await unit.first_time("m-1")


async def test_a_unit_that_was_decided_on_an_older_state_is_refused(pod: Pod, ground: Ground) -> None:
    order = await pod.ordering.place(ROPES, key=None, trail=CLICK)
    async with ground.storage.unit() as unit:
        old = await unit.get(order.id)
    assert old is not None
    await pod.coordinator.cancel(order.id, "changed my mind", patience=5)
    await pod.errands.all()

    async def late() -> None:
        async with ground.storage.unit() as unit:
            await unit.save(old, Work(old.order.confirm(), old.saga, None))

    with pytest.raises(StaleError):
        await late()
    assert await state(pod, order) == ("cancelled", "compensated")


async def test_a_unit_is_about_one_order(pod: Pod, ground: Ground) -> None:
    one, two = [await pod.ordering.place(ROPES, key=None, trail=CLICK) for _ in range(2)]

    async def both() -> None:
        async with ground.storage.unit() as unit:
            for order_id in (one.id, two.id):
                work = await unit.get(order_id)
                assert work is not None
                await unit.save(work, Work(work.order.confirm(), work.saga, None))

    with pytest.raises(SecondOrderError):
        await both()
    assert await state(pod, one) == ("pending", "running")
