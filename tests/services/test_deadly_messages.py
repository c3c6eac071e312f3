"""A message that kills the process which handles it ends among the dead letters, and takes nobody along."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from chassis.begun import MOST_ENDS
from chassis.dead_letters import DeadLetters
from chassis.local_data import Nats
from chassis.streams import BEGUN, SHOP
from support.awaiting import eventually
from support.messaging import Worker, a_nats, happened
from support.mortal import DEADLY, DIED, mortal


@pytest.fixture
def nats() -> Iterator[Nats]:
    with a_nats() as server:
        yield server


def written(journal: Path) -> list[str]:
    return journal.read_text(encoding="utf-8").split()


async def test_a_message_that_kills_is_put_aside_and_those_beside_it_are_handled(nats: Nats, tmp_path: Path) -> None:
    worker = Worker(nats)
    await worker.broker.open()
    await worker.broker.session()
    before, deadly, after = [happened() for _ in range(4)], happened(DEADLY), [happened() for _ in range(12)]
    for one in (*before, deadly, *after):
        await worker.broker.publish(one)
    (journal := tmp_path / "journal").touch()
    with mortal(nats.url, journal):
        letters = DeadLetters(worker.broker)
        [letter] = await eventually(letters.list, within=60, every=0.02, what="it is put aside")
        everyone = {one.event_id for one in (*before, *after)} | {DIED}
        await eventually(lambda: everyone == {*written(journal)}, within=20, what="all others are handled")
        assert written(journal).count(DIED) == MOST_ENDS + 1
        assert await letters.list() == [letter]
        await eventually(partial(settled, worker), within=20, what="nothing is left, nor noted but for the one")
    assert (letter.consumer, letter.event_id) == ("mortal.test", deadly.event_id)
    assert letter.cause.startswith(f"FatalError: begun {MOST_ENDS + 1} times")
    await worker.broker.close()


async def settled(worker: Worker) -> bool:
    jetstream = worker.broker.jetstream()
    consumer = await jetstream.consumer_info(SHOP, "mortal-test")
    notes = (await jetstream.stream_info(BEGUN)).state.messages
    return (consumer.num_pending, consumer.num_ack_pending, notes) == (0, 0, 1)
