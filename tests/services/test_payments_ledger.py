"""The event store of payments and what is built on it, on Postgres and on SQLite."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from chassis import idempotency, inbox, outbox
from chassis.database import Database, Session
from chassis.ids import new_id
from chassis.local_data import DataServices
from chassis.migrations import differences, migrate
from chassis.outbox import OUTBOX, Outbox
from payments import projection
from payments.books import Books
from payments.deciding import decide
from payments.domain.account import stream_of
from payments.domain.charge import Charge, Status
from payments.domain.errors import ImpossibleTransitionError
from payments.domain.events import (
    ChargeDeferred,
    ChargeIntended,
    ChargeSettled,
    Event,
    Posted,
    Refunded,
    RefundIntended,
)
from payments.origin import Origin
from payments.store import accounts, event_store, invoices
from payments.store.event_store import Append, ConflictError
from payments.store.tables import METADATA, events, snapshots

ORIGIN = Origin("click", "click")
START = datetime(2026, 1, 1, tzinfo=UTC)
names = (f"test_payments_ledger_{number}" for number in count())


@pytest.fixture(params=["postgresql", "sqlite"])
async def database(request: pytest.FixtureRequest, data: DataServices) -> AsyncIterator[Database]:
    """A new one for each test. Making it blocks the loop, on which nothing else runs yet."""
    url = None
    if request.param == "postgresql":
        url = await asyncio.to_thread(data.database_url, next(names))
    database = Database(url)
    await migrate(database, "payments", patience=0)
    yield database
    await database.close()


class Clock:
    """Time as a test wants it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def later(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def books(clock: Clock) -> Books:
    return Books(Outbox(), terms=timedelta(days=14), grace=timedelta(seconds=10), clock=clock)


def intent(order: str, amount: int = 100, customer: str = "ada") -> ChargeIntended:
    return ChargeIntended(new_id(), order, customer, amount, "EUR", "card", "orchestrated", order)


async def let(database: Database, books: Books, order: str, *happened: Event) -> Charge:
    """Let events happen to the charge for an order."""
    async with database.transaction() as session:
        return await books.record(session, await accounts.charge(session, order), *happened, origin=ORIGIN)


async def post(database: Database, account: str, *amounts: int, at: datetime, expected: int | None = None) -> None:
    told = [Posted("e", "sale", "o", amount, "EUR") for amount in amounts]
    async with database.transaction() as session:
        await event_store.append(session, Append(stream_of(account), told, expected), at=at)


async def balance(database: Database, account: str, at: datetime | None = None) -> int:
    async with database.transaction() as session:
        return sum((await accounts.account(session, account, at=at)).balances.values())


async def test_migrations_make_the_tables_that_the_code_uses(database: Database) -> None:
    tables = (METADATA, outbox.TABLES, inbox.TABLES, idempotency.TABLES)
    async with database.transaction() as session:
        found = await session.run_sync(lambda sync: differences(sync, *tables))
    others = ("alembic_version", "outbox")  # the second has a default that Alembic misreads on SQLite
    assert [one for one in found if not any(name in str(one) for name in others)] == []


async def test_who_decided_on_an_old_version_is_refused(database: Database) -> None:
    await post(database, "bank", 1, at=START, expected=0)
    with pytest.raises(ConflictError, match="at version 1, not 0"):
        await post(database, "bank", 2, at=START, expected=0)
    assert await balance(database, "bank") == 1


async def test_of_two_who_begin_a_stream_one_is_refused(database: Database) -> None:
    async def begin() -> None:
        async with database.transaction() as session:
            await event_store.begin(session, stream_of("bank"), [Posted("e", "sale", "o", 1, "EUR")], at=START)

    outcomes = await asyncio.gather(*(begin() for _ in range(8)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [ConflictError] * 7
    assert await balance(database, "bank") == 1


async def test_what_is_appended_to_several_streams_has_one_time_and_takes_all_of_them_with_it(
    database: Database,
) -> None:
    await post(database, "bank", 1, at=START + timedelta(hours=1))
    told = [Append(stream_of(name), [Posted("e", "sale", "o", 1, "EUR")]) for name in ("bank", "new", "sales")]
    async with database.transaction() as session:
        assert await event_store.append(session, *told, at=START) == START + timedelta(hours=1)
    await post(database, "sales", 1, at=START)  # by a clock that is slow
    assert await balance(database, "sales", START + timedelta(minutes=59)) == 0
    assert [await balance(database, name) for name in ("bank", "new", "sales")] == [2, 1, 2]


async def test_of_many_writers_at_once_each_gets_its_place(database: Database) -> None:
    await asyncio.gather(*(post(database, "bank", 1, at=START) for _ in range(40)))
    async with database.transaction() as session:
        told = await event_store.load(session, stream_of("bank"))
    assert [one.version for one in told] == list(range(1, 41))


@pytest.mark.parametrize("change", ["UPDATE events SET version = version + 100", "DELETE FROM events"])
async def test_what_has_happened_cannot_be_changed(database: Database, change: str) -> None:
    await post(database, "bank", 1, at=START)
    with pytest.raises(DBAPIError, match="never changed"):
        async with database.transaction() as session:
            await session.execute(text(change))


async def test_a_balance_can_be_had_for_any_past_moment_with_and_without_snapshots(database: Database) -> None:
    moments = [START + timedelta(minutes=minute) for minute in range(8)]
    for number, moment in enumerate(moments):
        await post(database, "bank", *[1] * 60, at=moment)
        if number in (2, 5):
            async with database.transaction() as session:
                assert await accounts.take_snapshots(session) == 1
    async with database.transaction() as session:
        taken = (await session.scalars(select(snapshots.c.version).order_by(snapshots.c.version))).all()
    assert taken == [180, 360]
    assert await balance(database, "bank", START - timedelta(seconds=1)) == 0
    for number, moment in enumerate(moments, start=1):
        assert await balance(database, "bank", moment) == 60 * number
        assert await balance(database, "bank", moment + timedelta(seconds=59)) == 60 * number
    async with database.transaction() as session:
        assert (await accounts.audit(session))["bank"] == await accounts.account(session, "bank")
        await session.execute(snapshots.delete())
    assert await balance(database, "bank", moments[4]) == 300, "a snapshot can be thrown away"


async def test_a_snapshot_of_another_shape_is_not_read(database: Database) -> None:
    await post(database, "bank", 5, at=START)
    stale = {"stream": stream_of("bank"), "version": 1, "schema": 0, "state": {"sum": 5}, "recorded_at": START}
    async with database.transaction() as session:
        await session.execute(insert(snapshots).values(**stale))
    assert await balance(database, "bank") == 5


async def test_time_never_runs_backwards_in_a_stream(database: Database) -> None:
    await post(database, "bank", 1, at=START + timedelta(hours=1))
    await post(database, "bank", 1, at=START)  # by a clock that is slow
    assert await balance(database, "bank", START + timedelta(minutes=59)) == 0
    assert await balance(database, "bank", START + timedelta(hours=1)) == 2


async def test_a_stream_that_an_old_revision_began_goes_on(database: Database) -> None:
    old = {"entry": "e", "kind": "sale", "order": "o", "side": "credit", "amount": 7}
    async with database.transaction() as session:
        heads = await event_store.lock(session, [stream_of("bank")], at=START)
        row = {"stream": stream_of("bank"), "version": 1, "type": "Posted", "schema": 1, "data": old}
        await session.execute(insert(events).values(**row, recorded_at=START))
        await session.execute(text("UPDATE streams SET version = 1"))
    assert heads == {stream_of("bank"): 0}
    await post(database, "bank", 10, at=START, expected=1)
    assert await balance(database, "bank") == 3


async def test_the_ledger_balances_at_every_moment(database: Database, books: Books, clock: Clock) -> None:
    moments = []
    for number in range(6):
        order = f"o-{number}"
        await let(database, books, order, intent(order, 100 + number))
        if number % 2:
            await let(database, books, order, ChargeDeferred("late"))
            moments.append(clock.later(seconds=1))
        await let(database, books, order, ChargeSettled("A1"))
        moments.append(clock.later(seconds=1))
    for moment in moments:
        assert sum([await balance(database, name, moment) for name in ("bank", "sales", "customer:ada")]) == 0
    assert await balance(database, "bank") == sum(range(100, 106))


async def test_of_two_answers_to_one_charge_one_is_written(database: Database, books: Books) -> None:
    await let(database, books, "o-1", intent("o-1"))

    async def settle() -> Status:
        async def write(session: Session) -> Charge:
            charge = await accounts.charge(session, "o-1")
            return await books.record(session, charge, ChargeSettled("A1"), origin=ORIGIN)

        try:
            return (await decide(database, write)).status
        except ImpossibleTransitionError:
            return Status.NONE

    outcomes = await asyncio.gather(*(settle() for _ in range(8)))
    assert outcomes.count(Status.CHARGED) == 1
    assert await balance(database, "bank") == 100


async def test_charges_of_one_customer_at_once_all_come_through(database: Database, books: Books) -> None:
    async def charge(order: str) -> None:
        async def write(session: Session) -> Charge:
            before = await accounts.charge(session, order)
            return await books.record(session, before, intent(order), ChargeSettled("A1"), origin=ORIGIN)

        await decide(database, write)

    await asyncio.gather(*(charge(f"o-{number}") for number in range(30)))
    assert await balance(database, "bank") == 3000
    assert await balance(database, "customer:ada") == 0


async def test_a_step_is_written_whole_or_not_at_all(database: Database, books: Books) -> None:
    async def cut_off() -> None:
        async with database.transaction() as session:
            await books.record(session, await accounts.charge(session, "o-1"), ChargeSettled("A1"), origin=ORIGIN)
            raise RuntimeError("power cut")

    await let(database, books, "o-1", intent("o-1"))
    with pytest.raises(RuntimeError, match="power cut"):
        await cut_off()
    assert await balance(database, "bank") == 0
    async with database.transaction() as session:
        assert (await accounts.charge(session, "o-1")).status is Status.INTENDED
        assert await invoices.find(session, limit=10) == []
        assert (await session.execute(select(OUTBOX))).first() is None


async def test_the_projection_says_what_the_events_say_and_can_be_made_anew(database: Database, books: Books) -> None:
    for number in range(5):
        order, customer = f"o-{number}", f"c-{number}"
        await let(database, books, order, intent(order, 10 * (number + 1), customer), ChargeDeferred("late"))
    async with database.transaction() as session:
        assert await projection.catch_up(session) == 6
        assert await projection.catch_up(session) == 0
        before = await projection.owing(session, limit=10)
    assert before == [(f"customer:c-{number}", 10 * (number + 1), "EUR") for number in (4, 3, 2, 1, 0)]
    async with database.transaction() as session:
        await session.execute(text("UPDATE account_balances SET balance = 999999"))
    assert await balance(database, "customer:c-0") == 10, "nothing is decided by what a projection says"
    async with database.transaction() as session:
        assert await projection.rebuild(session) == 6
        assert await projection.owing(session, limit=10) == before


async def test_two_that_project_at_once_count_nothing_twice(database: Database, books: Books) -> None:
    orders = [f"o-{number}" for number in range(12)]
    for order in orders:
        await let(database, books, order, intent(order, 5, f"c-{order}"), ChargeDeferred("late"))

    async def catch_up() -> int:
        async with database.transaction() as session:
            return await projection.catch_up(session)

    taken = await asyncio.gather(*(catch_up() for _ in range(4)))
    assert sum(taken) == len(orders) + 1
    async with database.transaction() as session:
        owing = await projection.owing(session, limit=20)
    assert {account: amount for account, amount, _ in owing} == {f"customer:c-{order}": 5 for order in orders}


async def test_an_invoice_becomes_overdue_once(database: Database, books: Books, clock: Clock) -> None:
    await let(database, books, "o-1", intent("o-1"), ChargeDeferred("late"))
    await let(database, books, "o-2", intent("o-2"), ChargeSettled("A1"))

    async def remind() -> int:
        async with database.transaction() as session:
            return await books.remind(session)

    clock.later(days=13, hours=23)
    assert await remind() == 0
    clock.later(hours=1)
    assert [await remind(), await remind()] == [1, 0]
    async with database.transaction() as session:
        (late,) = await invoices.find(session, limit=10, status=invoices.OVERDUE)
        told = (await session.scalars(select(OUTBOX.c.subject).where(OUTBOX.c.aggregate_id == "o-1"))).all()
    assert late.order == "o-1"
    assert told == [f"shop.payments.{name}" for name in ("InvoiceIssued", "PaymentDeferred", "InvoiceOverdue")]
    await let(database, books, "o-1", ChargeSettled("A1"))
    async with database.transaction() as session:
        assert {invoice.status for invoice in await invoices.find(session, limit=10)} == {invoices.PAID}


async def test_a_refund_leaves_nothing_on_any_account(database: Database, books: Books) -> None:
    await let(database, books, "o-1", intent("o-1"), ChargeDeferred("late"), ChargeSettled("A1"))
    await let(database, books, "o-1", RefundIntended("broken"), Refunded("A2"))
    async with database.transaction() as session:
        assert {sum(one.balances.values()) for one in (await accounts.audit(session)).values()} == {0}
        assert {invoice.status for invoice in await invoices.find(session, limit=10)} == {invoices.CREDITED}
