"""Reading the shop's databases: everything that the rules want, by queries that write nothing."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg

from demo.invariants.across import Booked, Charged, Priced, Row, Table, World
from demo.invariants.finding import Finding
from demo.invariants.inside import INSIDE

_PATIENCE = 30.0
"""Seconds that a database may take to answer."""
_SHOWN = 20
"""Rows that are told of a broken rule: a rule that is broken a thousand times is broken."""

_SHIPMENTS = "SELECT order_id, status, updated_at < now() - make_interval(secs => $1) AS quiet FROM shipments"
_RESERVATIONS = "SELECT order_id, status, updated_at < now() - make_interval(secs => $1) AS quiet FROM reservations"
_ORDERS = """
    SELECT id AS order_id, status, total AS amount, currency, updated_at < now() - make_interval(secs => $1) AS quiet
    FROM orders
"""
_CHARGES = """
    SELECT substr(stream, 8) AS order_id, last.type, last.quiet,
           coalesce((intent.data->>'amount')::bigint, 0) AS amount, coalesce(intent.data->>'currency', '') AS currency,
           coalesce(intent.data->>'payment', '') AS reference
    FROM (SELECT DISTINCT ON (stream) stream, type, recorded_at < now() - make_interval(secs => $1) AS quiet
          FROM events WHERE stream LIKE 'charge/%' ORDER BY stream, version DESC) last
    LEFT JOIN (SELECT stream, data FROM events WHERE type = 'ChargeIntended') intent USING (stream)
"""
_BOOKINGS = """
    SELECT reference, regexp_replace(amount, '[.,]', '', 'g')::bigint AS amount, currency
    FROM bookings WHERE status = '00' AND NOT refunded
"""
"""What the bank approved. It writes money with all its decimals, 1.234,56: without the marks that is minor units."""
_CHARGE_IS = {
    "ChargeIntended": "intended",
    "ChargeDeferred": "deferred",
    "ChargeSettled": "charged",
    "ChargeDeclined": "declined",
    "RefundIntended": "refunding",
    "Refunded": "refunded",
    "ChargeCancelled": "cancelled",
}


Databases = Mapping[str, asyncpg.Connection]


@asynccontextmanager
async def reading(urls: Mapping[str, str]) -> AsyncIterator[Databases]:
    """Yield a connection to each database. On each, all that is read is of the moment of its first query."""
    async with AsyncExitStack() as opened:
        entered = (opened.enter_async_context(_connected(url)) for url in urls.values())
        connections = await asyncio.gather(*entered)
        yield dict(zip(urls, connections, strict=True))


async def read_world(databases: Databases, grace: float) -> World:
    """Read what the services say about orders: shipments first and orders last, against the flow."""
    bookings = await _rows(databases.get("bank"), _BOOKINGS)
    shipments = await _rows(databases.get("shipping"), _SHIPMENTS, grace)
    charges = await _rows(databases.get("payments"), _CHARGES, grace)
    reservations = await _rows(databases.get("inventory"), _RESERVATIONS, grace)
    orders = await _rows(databases.get("orders"), _ORDERS, grace)
    return World(
        orders=Table({row["order_id"]: _priced(row, row["status"]) for row in orders or ()}, orders is not None),
        charges=Table({row["order_id"]: _charged(row) for row in charges or ()}, charges is not None),
        reservations=Table({row["order_id"]: _plain(row) for row in reservations or ()}, reservations is not None),
        shipments=Table({row["order_id"]: _plain(row) for row in shipments or ()}, shipments is not None),
        bookings=None if bookings is None else {row["reference"]: _booked(row) for row in bookings},
    )


async def read_inside(databases: Databases, grace: float) -> list[Finding]:
    """Look for what breaks the rules within each database."""
    found = []
    for database, connection in databases.items():
        for rule in INSIDE.get(database, ()):
            rows = await connection.fetch(f"{rule.broken} LIMIT {_SHOWN}", *([grace] if "$1" in rule.broken else []))
            found += [Finding(f"{rule.name} ({database})", str(subject), str(detail)) for subject, detail in rows]
    return found


async def _rows(connection: asyncpg.Connection | None, query: str, *values: float) -> list[asyncpg.Record] | None:
    return None if connection is None else list(await connection.fetch(query, *values))


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Yield a connection on which all that is read belongs to one moment, and nothing can be written."""
    dsn = url.replace("postgresql+asyncpg://", "postgresql://")
    connection = await asyncpg.connect(dsn, timeout=_PATIENCE, command_timeout=_PATIENCE)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection
    finally:
        await connection.close()


def _plain(row: asyncpg.Record) -> Row:
    return Row(status=row["status"], quiet=row["quiet"])


def _priced(row: asyncpg.Record, status: str) -> Priced:
    return Priced(status=status, quiet=row["quiet"], amount=row["amount"], currency=row["currency"])


def _charged(row: asyncpg.Record) -> Charged:
    return Charged(
        status=_CHARGE_IS[row["type"]],
        quiet=row["quiet"],
        amount=row["amount"],
        currency=row["currency"],
        reference=row["reference"],
    )


def _booked(row: asyncpg.Record) -> Booked:
    return Booked(amount=row["amount"], currency=row["currency"])
