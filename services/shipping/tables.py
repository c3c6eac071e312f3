"""Tables of shipping, and of the simulated carriers, which would be elsewhere if they were real."""

from sqlalchemy import Boolean, Column, Float, Index, Integer, Table, Text, text

from chassis.database import Json, Timestamp, metadata

META = metadata()

shipments = Table(
    "shipments",
    META,
    Column("order_id", Text, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("status", Text, nullable=False),
    Column("flow", Text),
    Column("parcel", Json),
    Column("paid", Boolean, nullable=False),
    Column("carrier", Text),
    Column("tracking_code", Text, unique=True),
    Column("reason", Text),
    Column("tries", Integer, nullable=False),
    Column("cause", Json),
    Column("asked_at", Timestamp),
    Column("due_at", Timestamp),
    Column("updated_at", Timestamp, nullable=False),
    Index("ix_shipments_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
)
"""One for an order. ``due_at`` is when somebody has to do something about it: who takes it on puts that a little off.
``cause`` is the event that it follows from, so that what is told later can say why."""

steps = Table(
    "steps",
    META,
    Column("order_id", Text, primary_key=True),
    Column("status", Text, primary_key=True),
    Column("at", Timestamp, nullable=False),
)
"""When a shipment came to be what it was: what tracking shows."""

withdrawals = Table(
    "withdrawals",
    META,
    Column("order_id", Text, primary_key=True),
    Column("carrier", Text, primary_key=True),
    Column("reference", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due_at", Timestamp),
    Index("ix_withdrawals_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
)
"""Carriers that are to let go of a booking which nobody wants; without ``due_at`` they have."""

carrier_parcels = Table(
    "carrier_parcels",
    META,
    Column("carrier", Text, primary_key=True),
    Column("reference", Text, primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("collect_at", Timestamp, nullable=False),
    Column("deliver_at", Timestamp, nullable=False),
    Column("withdrawn", Boolean, nullable=False),
)
"""The simulated carriers' books."""

carrier_conditions = Table(
    "carrier_conditions",
    META,
    Column("carrier", Text, primary_key=True),
    Column("delay", Float, nullable=False),
    Column("fail_percent", Float, nullable=False),
    Column("hang", Boolean, nullable=False),
)
"""How the simulated carriers do, while they were told."""
