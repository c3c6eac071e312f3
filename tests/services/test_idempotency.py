"""One effect for one key and one event, however often and however simultaneously they come."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.database import IN_MEMORY, Database
from chassis.events import Envelope, event
from chassis.idempotency import Answer, IdempotencyKeys, KeyInUse, KeyReused, _fingerprint
from chassis.inbox import REMEMBERED, Inbox
from chassis.local_data import DataServices
from chassis.migrations import migrate

APPS = Path(__file__).parent / "apps"
KEYS, INBOX = IdempotencyKeys(), Inbox()
LATER = timedelta(minutes=1)


@pytest.fixture(params=["postgres", "sqlite"])
async def database(
    request: pytest.FixtureRequest, data: DataServices, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    monkeypatch.syspath_prepend(APPS)
    database = Database(data.database_url(f"keys_{uuid4().hex}") if request.param == "postgres" else IN_MEMORY)
    await migrate(database, "announcer", patience=10)
    yield database
    await database.close()


class Buying:
    """An operation with an effect, and a key against having it twice."""

    def __init__(self, database: Database) -> None:
        self.effects = 0
        self._database = database

    async def buy(self, key: str, *, quantity: int = 1, customer: str = "ada") -> Answer:
        scope, request = f"buy:{customer}", {"quantity": quantity}
        async with self._database.transaction() as session:
            known = await KEYS.claim(session, key, scope=scope, request=request)
            if known is not None:
                return known
            self.effects += 1
            answer = Answer(201, {"purchase": self.effects, "quantity": quantity}, {"location": f"/{self.effects}"})
            await KEYS.keep(session, key, scope=scope, answer=answer)
            return answer


async def test_the_same_key_gets_the_stored_answer_again(database: Database) -> None:
    buying = Buying(database)
    first = await buying.buy("k1")
    assert await buying.buy("k1") == first
    assert buying.effects == 1


async def test_of_requests_at_the_same_moment_one_does_the_work_and_all_get_its_answer(database: Database) -> None:
    buying = Buying(database)
    answers = await asyncio.gather(*(buying.buy("k1") for _ in range(6)))
    assert buying.effects == 1
    assert answers == [answers[0]] * 6


async def test_the_same_key_with_another_request_is_refused(database: Database) -> None:
    buying = Buying(database)
    await buying.buy("k1", quantity=1)
    with pytest.raises(KeyReused) as refused:
        await buying.buy("k1", quantity=2)
    assert refused.value.status == 422
    assert buying.effects == 1


async def test_callers_do_not_share_keys(database: Database) -> None:
    buying = Buying(database)
    await buying.buy("k1", customer="ada")
    await buying.buy("k1", customer="bob", quantity=2)
    assert buying.effects == 2


async def _claim_and_fail(database: Database) -> None:
    async with database.transaction() as session:
        await KEYS.claim(session, "k1", scope="buy:ada", request={"quantity": 1})
        raise ZeroDivisionError


async def test_work_that_failed_frees_its_key(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        await _claim_and_fail(database)
    assert (await Buying(database).buy("k1")).status == 201


async def test_a_claim_that_was_committed_without_an_answer_is_still_under_way(database: Database) -> None:
    async with database.transaction() as session:
        assert await KEYS.claim(session, "k1", scope="buy:ada", request={"quantity": 1}) is None
    with pytest.raises(KeyInUse):
        await Buying(database).buy("k1")


async def test_an_answer_that_is_known_beforehand_is_kept_with_the_claim(database: Database) -> None:
    for answer in (Answer(202, {"order": "o-1"}), Answer(202, {"order": "o-2"})):
        async with database.transaction() as session:
            known = await KEYS.claim(session, "k1", scope="buy:ada", request={"quantity": 1}, answer=answer)
        assert (known is None) == (answer.body == {"order": "o-1"})
    assert known == Answer(202, {"order": "o-1"}), "the first one counts"


async def test_old_keys_are_forgotten_and_young_ones_kept(database: Database) -> None:
    buying = Buying(database)
    await buying.buy("k1")
    async with database.transaction() as session:
        assert await KEYS.forget(session, datetime.now(UTC) - LATER) == 0
        assert await KEYS.forget(session, datetime.now(UTC) + LATER) == 1
    await buying.buy("k1")
    assert buying.effects == 2


@given(st.dictionaries(st.text(), st.integers() | st.lists(st.text())))
def test_a_request_is_the_same_in_whatever_order_its_members_stand(request_: dict[str, object]) -> None:
    assert _fingerprint(request_) == _fingerprint(dict(reversed(request_.items())))


def _happened() -> Envelope:
    return event("StockLow", {"sku": "rope-01", "warehouse": "kiel", "available": 1})


class Counting:
    """A consumer with an effect."""

    def __init__(self, database: Database) -> None:
        self.effects = 0
        self._database = database

    async def handle(self, envelope: Envelope, consumer: str = "counting", *, fail: bool = False) -> None:
        async with self._database.transaction() as session:
            if await INBOX.first_time(session, envelope, consumer):
                if fail:
                    raise ZeroDivisionError
                self.effects += 1


async def test_an_event_that_is_delivered_at_once_many_times_has_its_effect_once(database: Database) -> None:
    counting, happened = Counting(database), _happened()
    await asyncio.gather(*(counting.handle(happened) for _ in range(6)))
    assert counting.effects == 1


async def test_an_event_whose_effect_failed_has_it_at_the_next_delivery(database: Database) -> None:
    counting, happened = Counting(database), _happened()
    with pytest.raises(ZeroDivisionError):
        await counting.handle(happened, fail=True)
    await counting.handle(happened)
    assert counting.effects == 1


async def test_each_consumer_handles_an_event_for_itself(database: Database) -> None:
    counting, happened = Counting(database), _happened()
    await counting.handle(happened, "one")
    await counting.handle(happened, "another")
    assert counting.effects == 2


async def test_what_was_handled_long_ago_is_forgotten(database: Database) -> None:
    counting = Counting(database)
    await counting.handle(_happened())
    async with database.transaction() as session:
        assert await INBOX.forget(session, datetime.now(UTC) + REMEMBERED - LATER) == 0
        assert await INBOX.forget(session, datetime.now(UTC) + REMEMBERED + LATER) == 1
