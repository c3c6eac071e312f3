"""One suite for all storages: memory, SQLite, Postgres. The same orders, put together by the same composition root."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from chassis.database import Database
from chassis.migrations import migrate
from orders.application.coordinator import LEASE, Heard
from orders.application.ordering import REMEMBERED, TooEarlyError, Wish
from orders.domain.errors import OrderError, UnknownProductsError, WrongStateError
from orders.domain.order import Flow, Item, Order, Party, Status
from orders.domain.saga import Action, Done, Refused, SagaStatus, Step, Undone
from orders.ports.storage import KeyReusedError, SecondOrderError, StaleError, Work
from support.ordering import CLICK, Clock, Ground, MemoryGround, Pod, Shop, SqlGround

ROPES = Wish("ada", [Item("rope-01", 2)])
CHOREOGRAPHED = Wish("ada", [Item("rope-01", 2)], flow=Flow.CHOREOGRAPHED)
RESERVE, PAY, SHIP, CONFIRM = Step


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def ground(request: pytest.FixtureRequest, clock: Clock) -> AsyncIterator[Ground]:
    if request.param == "memory":
        yield MemoryGround(clock)
        return
    url = request.getfixturevalue("database_url") if request.param == "postgres" else None
    database = Database(url)
    await migrate(database, "orders", patience=0)
    yield await SqlGround(database, clock).emptied()
    await database.close()


@pytest.fixture
def pod(ground: Ground, shop: Shop, clock: Clock) -> Pod:
    return Pod(ground, shop, clock)


@pytest.fixture
def other(ground: Ground, shop: Shop, clock: Clock) -> Pod:
    return Pod(ground, shop, clock)


async def state(pod: Pod, order: Order) -> tuple[str, str]:
    found, saga = await pod.ordering.find(order.id), await pod.ordering.saga(order.id)
    assert found is not None
    assert saga is not None
    return found.status.value, saga.status.value


async def confirmed(pod: Pod) -> Order:
    order = await pod.ordering.place(ROPES, key=None, trail=CLICK)
    assert await pod.coordinator.hear(order.id, Heard(f"booked-{order.id}", Done(SHIP)))
    await pod.errands.all()
    assert await state(pod, order) == ("confirmed", "completed")
    return order


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
