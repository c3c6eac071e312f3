"""Consumers on a real NATS: at least once, bounded, and what can't be handled ends among the dead letters."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from chassis import consuming
from chassis.broker import BrokerUnavailableError
from chassis.consumers import Poison
from chassis.dead_letters import DeadLetters
from chassis.events import Envelope
from chassis.local_data import Nats
from chassis.problems import Problem
from chassis.streams import SHOP
from support.awaiting import eventually
from support.messaging import Worker, a_nats, happened


@pytest.fixture
def nats() -> Iterator[Nats]:
    with a_nats() as server:
        yield server


@pytest.fixture
async def worker(nats: Nats) -> AsyncIterator[Worker]:
    async with AsyncExitStack() as stack:
        yield await connected(stack, Worker(nats))


async def connected(stack: AsyncExitStack, worker: Worker) -> Worker:
    await worker.broker.open()
    stack.push_async_callback(worker.broker.close)
    async with asyncio.timeout(10):
        await worker.broker.session()
    return worker


async def test_each_event_is_handled_and_then_gone(worker: Worker) -> None:
    events = [happened() for _ in range(30)]
    async with worker.consuming():
        for one in events:
            await worker.broker.publish(one)
        await eventually(lambda: worker.count("handled") == 30, within=5)
    assert sorted(one.event_id for one in worker.handled) == sorted(one.event_id for one in events)
    info = await worker.broker.jetstream().consumer_info(SHOP, "orders-test")
    assert (info.num_pending, info.num_ack_pending) == (0, 0)


async def test_an_event_that_is_published_twice_is_kept_once(worker: Worker) -> None:
    once = happened()
    await worker.broker.publish(once)
    await worker.broker.publish(once)
    async with worker.consuming():
        await worker.broker.publish(last := happened())
        await eventually(lambda: last in worker.handled, within=5)
    assert worker.handled == [once, last]


async def test_what_fails_comes_again_and_then_counts_as_handled(worker: Worker) -> None:
    async def third_time_lucky(envelope: Envelope) -> None:
        worker.handled.append(envelope)
        if len(worker.handled) < 3:
            raise RuntimeError("not yet")

    await worker.broker.publish(happened())
    async with worker.consuming(third_time_lucky):
        await eventually(lambda: worker.count("handled") == 1, within=5)
    assert len(worker.handled) == 3
    assert worker.count("failed") == 2


async def test_what_keeps_failing_goes_to_the_dead_letters_with_its_cause(worker: Worker) -> None:
    async def fail(envelope: Envelope) -> None:
        raise RuntimeError(f"no carrier\nfor {envelope.payload['orderId']} in Münster")

    await worker.broker.publish(failing := happened())
    async with worker.consuming(fail, deliveries=3):
        [letter] = await eventually(DeadLetters(worker.broker).list, within=5)
    assert (letter.consumer, letter.attempts, letter.subject) == ("orders.test", 3, failing.subject)
    assert letter.cause == "RuntimeError: no carrier for o-1 in M\\xfcnster"
    assert Envelope.from_bytes(letter.data) == failing
    assert worker.count("dead") == 1


async def test_poison_is_not_tried_twice(worker: Worker) -> None:
    async def refuse(_: Envelope) -> None:
        raise Poison("the order is from another planet")

    await worker.broker.publish(happened())
    async with worker.consuming(refuse):
        [letter] = await eventually(DeadLetters(worker.broker).list, within=5)
    assert (letter.attempts, letter.cause) == (1, "Poison: the order is from another planet")


@pytest.mark.parametrize(
    "data", [b"", b"{oops", b"[]", b'{"eventId": 7}', happened().to_bytes().replace(b"reason", b"because")]
)
async def test_what_is_no_event_is_dead_and_stops_nobody(worker: Worker, data: bytes) -> None:
    await worker.broker.send("shop.shipping.ShipmentFailed", data, message_id="broken")
    await worker.broker.publish(sound := happened())
    async with worker.consuming():
        [letter] = await eventually(DeadLetters(worker.broker).list, within=5)
        await eventually(lambda: worker.handled, within=5)
    assert worker.handled == [sound]
    assert letter.cause.startswith("malformed: ")
    assert letter.data == data


@pytest.mark.parametrize("outage", [ConnectionRefusedError(), Problem(503, "busy"), BrokerUnavailableError("gone")])
async def test_an_outage_is_no_fault_of_the_message(worker: Worker, outage: Exception) -> None:
    async def wait_for_it(envelope: Envelope) -> None:
        worker.handled.append(envelope)
        if len(worker.handled) < 4:
            raise outage

    await worker.broker.publish(happened())
    async with worker.consuming(wait_for_it, deliveries=1):
        await eventually(lambda: worker.count("handled") == 1, within=10)
    assert worker.count("waits") == 3
    assert await DeadLetters(worker.broker).list() == []


async def test_an_outage_costs_a_message_none_of_its_tries(worker: Worker) -> None:
    fates: list[Exception | None] = [*[ConnectionRefusedError()] * 4, RuntimeError(), RuntimeError(), None]

    async def suffer(envelope: Envelope) -> None:
        worker.handled.append(envelope)
        if (fate := fates[len(worker.handled) - 1]) is not None:
            raise fate

    await worker.broker.publish(happened())
    async with worker.consuming(suffer, deliveries=3):
        await eventually(lambda: worker.count("handled") == 1, within=15)
    assert (worker.count("waits"), worker.count("failed")) == (4, 2)
    assert await DeadLetters(worker.broker).list() == []


async def test_a_handler_that_hangs_costs_its_message_and_not_its_worker(worker: Worker) -> None:
    async def hang(_: Envelope) -> None:
        await asyncio.Event().wait()

    await worker.broker.publish(happened())
    async with worker.consuming(hang, deliveries=1, timeout=0.05):
        [letter] = await eventually(DeadLetters(worker.broker).list, within=5)
    assert letter.cause == "HandlerTooSlowError: not handled within 0.05 s"


async def test_no_more_is_taken_than_there_are_workers(worker: Worker) -> None:
    """Backpressure: however much waits, it waits at the broker."""
    going_on = asyncio.Event()
    most = 0

    async def slow(envelope: Envelope) -> None:
        nonlocal most
        worker.handled.append(envelope)
        most = max(most, len(worker.handled) - worker.count("handled"))
        await going_on.wait()

    for _ in range(50):
        await worker.broker.publish(happened())
    async with worker.consuming(slow, workers=4):
        await eventually(lambda: len(worker.handled) == 4, within=5)
        info = await worker.broker.jetstream().consumer_info(SHOP, "orders-test")
        assert (info.num_ack_pending, info.num_pending) == (4, 46)
        await eventually(lambda: worker.lag() == 50, within=8, what="the lag is told")
        going_on.set()
        await eventually(lambda: worker.count("handled") == 50, within=10)
    assert most <= 4


async def test_an_end_finishes_what_was_begun_and_leaves_the_rest_to_others(nats: Nats, worker: Worker) -> None:
    going_on = asyncio.Event()

    async def slow(envelope: Envelope) -> None:
        worker.handled.append(envelope)
        await going_on.wait()

    for _ in range(20):
        await worker.broker.publish(happened())
    async with AsyncExitStack() as stack:
        other = await connected(stack, Worker(nats))
        async with worker.consuming(slow, workers=3) as stopping:
            await eventually(lambda: len(worker.handled) == 3, within=5)
            stopping.set()
            await stack.enter_async_context(other.consuming())
            await eventually(lambda: other.count("handled") == 17, within=5)
            assert worker.count("handled") == 0
            going_on.set()
        assert worker.count("handled") == 3


async def test_what_is_cut_off_is_given_back_at_once(nats: Nats, worker: Worker) -> None:
    async def hang(envelope: Envelope) -> None:
        worker.handled.append(envelope)
        await asyncio.Event().wait()

    await worker.broker.publish(happened())
    async with AsyncExitStack() as stack:
        other = await connected(stack, Worker(nats))
        consumer = asyncio.create_task(worker.consumer(hang).run(asyncio.Event()))
        await eventually(lambda: worker.handled, within=5)
        consumer.cancel()
        await asyncio.wait([consumer])
        await stack.enter_async_context(other.consuming())
        await eventually(lambda: other.count("handled") == 1, within=consuming.ACK_WAIT / 2)


async def test_what_takes_long_is_not_handed_out_again(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consuming, "ACK_WAIT", 1.0)
    monkeypatch.setattr(consuming, "_TEND_EVERY", 0.25)

    async def slow(envelope: Envelope) -> None:
        worker.handled.append(envelope)
        await asyncio.sleep(2.5)

    await worker.broker.publish(happened())
    async with worker.consuming(slow):
        await eventually(lambda: worker.count("handled") == 1, within=10)
    assert len(worker.handled) == 1


async def test_a_broker_that_was_killed_is_come_back_to_and_nothing_is_lost(nats: Nats, worker: Worker) -> None:
    async with worker.consuming():
        await worker.broker.publish(first := happened())
        await eventually(lambda: first in worker.handled, within=5)
        nats.kill()
        await eventually(lambda: not worker.broker.connected, within=5)
        with pytest.raises(BrokerUnavailableError):
            await worker.broker.publish(happened())
        nats.start()
        await eventually(lambda: worker.broker.connected, within=10)
        await worker.broker.publish(second := happened())
        await eventually(lambda: second in worker.handled, within=5)


async def test_a_consumer_may_start_before_its_broker(nats: Nats) -> None:
    nats.kill()
    worker = Worker(nats)
    await worker.broker.open()
    async with worker.consuming():
        nats.start()
        await eventually(lambda: worker.broker.connected, within=10)
        await worker.broker.publish(happened())
        await eventually(lambda: worker.handled, within=5)
    await worker.broker.close()


async def test_redriven_is_handled_by_the_consumer_that_failed_and_by_no_other(nats: Nats, worker: Worker) -> None:
    mended = False

    async def fail(envelope: Envelope) -> None:
        if not mended:
            raise Poison("broken")
        worker.handled.append(envelope)

    await worker.broker.publish(one := happened())
    async with AsyncExitStack() as stack:
        bystander = await connected(stack, Worker(nats, service="payments"))
        await stack.enter_async_context(bystander.consuming())
        await stack.enter_async_context(worker.consuming(fail))
        letters = DeadLetters(worker.broker)
        await eventually(letters.list, within=5)
        mended = True
        assert await letters.redrive(consumer="payments.test") == 0
        assert await letters.redrive() == 1
        await eventually(lambda: worker.handled == [one], within=5)
        await worker.broker.publish(last := happened())
        await eventually(lambda: last in bystander.handled, within=5)
    assert bystander.handled == [one, last]
    assert await letters.list() == []
