"""The tables of payments. ``migrations`` makes them, and makes events impossible to change."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from chassis.database import Json, Timestamp, metadata

METADATA: Final = metadata()

streams = Table(
    "streams",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("recorded_at", Timestamp, nullable=False),
)
"""The head of each stream: what writers take turns at."""

events = Table(
    "events",
    METADATA,
    Column("stream", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("type", Text, nullable=False),
    Column("schema", Integer, nullable=False),
    Column("data", Json, nullable=False),
    Column("recorded_at", Timestamp, nullable=False),
)
"""The truth. Rows are added, and nothing else."""

snapshots = Table(
    "snapshots",
    METADATA,
    Column("stream", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("schema", Integer, nullable=False),
    Column("state", Json, nullable=False),
    Column("recorded_at", Timestamp, nullable=False),
)
"""What a stream added up to: saves reading what is before it, and can be thrown away."""

balances = Table(
    "account_balances",
    METADATA,
    Column("account", Text, primary_key=True),
    Column("currency", Text, primary_key=True),
    Column("balance", BigInteger, nullable=False),
)
projected = Table(
    "projected_streams",
    METADATA,
    Column("stream", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
)
"""A projection and how far it has come with each stream: for lists, never for decisions."""

invoices = Table(
    "invoices",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("order_id", Text, nullable=False, unique=True),
    Column("customer", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("issued_at", Timestamp, nullable=False),
    Column("due_at", Timestamp, nullable=False),
    Column("origin", Json, nullable=False),
    Index(None, "status", "due_at"),
    Index(None, "customer", "issued_at"),
)

open_charges = Table(
    "open_charges",
    METADATA,
    Column("order_id", Text, primary_key=True),
    Column("due_at", Timestamp, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("origin", Json, nullable=False),
    Column("opened_at", Timestamp),
    Index(None, "due_at"),
)
"""Charges and refunds about which the bank still has to say something, and when to ask it next."""

known_orders = Table(
    "known_orders",
    METADATA,
    Column("order_id", Text, primary_key=True),
    Column("customer", Text),
    Column("amount", BigInteger),
    Column("currency", Text),
    Column("reserved", Integer, nullable=False),
    Column("seen_at", Timestamp, nullable=False),
)
"""What other services' events have told about orders, in whatever sequence they came."""

fraud_rules = Table(
    "fraud_rules",
    METADATA,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("source", Text, nullable=False),
    Column("loaded_at", Timestamp, nullable=False),
)
"""Each set of rules there ever was; the newest counts."""
