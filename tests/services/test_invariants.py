"""Each rule about the shop's databases, on the tables as their migrations make them: it finds what breaks it."""

# ruff: noqa: S608 - statements made of this file's own texts

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager

import asyncpg
import pytest

from chassis.database import Database
from chassis.local_data import DataServices, data_services
from chassis.migrations import migrate
from demo.invariants import Finding, check
from demo.invariants.inside import INSIDE, Rule

LONG_AGO = "now() - interval '1 hour'"
ORDER = f"""
    INSERT INTO orders (id, customer, status, flow, lines, address, currency, total, placed_at, updated_at, version)
    VALUES ('o', 'ada', 'STATUS', 'orchestrated', '[]', '{{}}', 'EUR', 100, {LONG_AGO}, {LONG_AGO}, 1);
"""
SAGA = f"""
    INSERT INTO sagas (id, type, status, completed_steps, data, started_at, updated_at, version)
    VALUES ('o', 'orchestrated', 'STATUS', '[]', '{{}}', {LONG_AGO}, {LONG_AGO}, 1);
"""
POSTED = f"""
    INSERT INTO streams (id, version, recorded_at) VALUES ('STREAM', 1, {LONG_AGO});
    INSERT INTO events (stream, version, type, schema, data, recorded_at) VALUES ('STREAM', 1, 'Posted', 2,
    '{{"entry": "e", "kind": "sale", "order": "o", "amount": AMOUNT, "currency": "EUR"}}', {LONG_AGO});
"""
SETTLED = f"""
    INSERT INTO events (stream, version, type, schema, data, recorded_at)
    VALUES ('charge/o', NUMBER, 'ChargeSettled', 1, '{{}}', {LONG_AGO});
"""
WAITING = f"""
    INSERT INTO outbox (event_id, aggregate_id, subject, message, added_at)
    VALUES ('e', 'o', 'shop.orders.OrderPlaced', '{{}}', {LONG_AGO});
"""
PARCEL = f"""
    INSERT INTO carrier_parcels (carrier, reference, code, collect_at, deliver_at, withdrawn)
    VALUES ('CARRIER', 'o', 'CARRIER-1', {LONG_AGO}, {LONG_AGO}, false);
"""
TOLD = """
    INSERT INTO notifications
    (id, event_id, correlation_id, order_id, customer, kind, medium, subject, short, long, status, created_at)
    VALUES ('NUMBER', 'NUMBER', 'c', 'o', 'ada', 'confirmed', 'email', 's', 's', 'l', 'sent', now());
"""
UNCHECKED = "ALTER TABLE stock DROP CONSTRAINT ck_stock_not_negative, DROP CONSTRAINT ck_stock_conserved;"
ONE_STOCK = "WHERE sku = 'rope-01' AND warehouse = 'kiel'"
HELD = f"""
    INSERT INTO reservations (order_id, id, flow, demand, status, expires_at, origin, updated_at)
    VALUES ('o', 'r', 'orchestrated', '[]', 'held', {LONG_AGO}, '{{}}', {LONG_AGO});
"""

BREAKS: Mapping[tuple[str, str], str] = {
    ("orders", "every saga ends"): ORDER.replace("STATUS", "pending") + SAGA.replace("STATUS", "stuck"),
    ("orders", "an order and its saga agree"): ORDER.replace("STATUS", "pending") + SAGA.replace("STATUS", "completed"),
    ("orders", "outbox is drained"): WAITING,
    ("inventory", "stock is never negative"): f"{UNCHECKED} UPDATE stock SET available = -1 {ONE_STOCK}",
    ("inventory", "stock is conserved"): f"{UNCHECKED} UPDATE stock SET available = available + 1 {ONE_STOCK}",
    (
        "inventory",
        "stock is what reservations say",
    ): f"UPDATE stock SET available = available - 1, reserved = 1 {ONE_STOCK}",
    ("inventory", "reservations expire"): HELD,
    ("inventory", "outbox is drained"): WAITING,
    ("payments", "the ledger balances"): POSTED.replace("STREAM", "account/sales").replace("AMOUNT", "-100"),
    ("payments", "nobody pays more than they owe"): POSTED.replace("STREAM", "account/customer:ada").replace(
        "AMOUNT", "-1"
    ),
    ("payments", "an order is charged once"): SETTLED.replace("NUMBER", "1") + SETTLED.replace("NUMBER", "2"),
    ("payments", "no event is missing"): f"INSERT INTO streams (id, version, recorded_at) VALUES ('s', 3, {LONG_AGO})",
    ("payments", "balances are what events add up to"): POSTED.replace("STREAM", "account/sales").replace(
        "AMOUNT", "-100"
    )
    + "INSERT INTO projected_streams (stream, version) VALUES ('account/sales', 1)",
    ("payments", "charges that were put off are made"): "INSERT INTO open_charges (order_id, due_at, attempts, origin) "
    f"VALUES ('o', {LONG_AGO}, 7, '{{}}')",
    ("payments", "outbox is drained"): WAITING,
    ("shipping", "an order is shipped once"): PARCEL.replace("CARRIER", "dray") + PARCEL.replace("CARRIER", "coaster"),
    ("shipping", "outbox is drained"): WAITING,
    ("notifications", "a customer is told once"): TOLD.replace("NUMBER", "1") + TOLD.replace("NUMBER", "2"),
}


@pytest.fixture(scope="module")
def data() -> Iterator[DataServices]:
    """A broker on which nobody left dead letters."""
    with data_services() as running:
        yield running


@pytest.fixture(scope="module")
def urls(data: DataServices) -> dict[str, str]:
    """A new and empty database for each service."""
    found = {name: data.database_url(f"looked_at_{name}") for name in INSIDE}
    asyncio.run(_migrate(found))
    return found


async def _migrate(urls: Mapping[str, str]) -> None:
    for name, url in urls.items():
        database = Database(url, connections=1)
        try:
            await migrate(database, name, patience=10)
        finally:
            await database.close()


def test_a_new_shop_breaks_no_rule(urls: dict[str, str], data: DataServices) -> None:
    assert check({**urls, "nats": data.broker_url}, grace=0) == []


def test_each_rule_is_broken_here_once() -> None:
    assert set(BREAKS) == {(database, rule.name) for database, rules in INSIDE.items() for rule in rules}


@pytest.mark.parametrize(("database", "name"), BREAKS, ids=lambda text: text.replace(" ", "-"))
async def test_a_rule_names_the_rows_that_break_it(database: str, name: str, urls: dict[str, str]) -> None:
    [rule] = [rule for rule in INSIDE[database] if rule.name == name]
    connection = await asyncpg.connect(urls[database].replace("+asyncpg", ""))
    try:
        async with _undone(connection):
            assert await _broken(connection, rule) == []
            await connection.execute(BREAKS[database, name])
            [finding] = await _broken(connection, rule)
            assert finding.subject
            assert finding.detail
    finally:
        await connection.close()


@asynccontextmanager
async def _undone(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """A transaction that leaves nothing."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


async def _broken(connection: asyncpg.Connection, rule: Rule) -> list[Finding]:
    rows = await connection.fetch(rule.broken, *([60.0] if "$1" in rule.broken else []))
    return [Finding(rule.name, subject, detail) for subject, detail in rows]
