"""Tables of notifications."""

from typing import Final

from sqlalchemy import Column, Index, Integer, Table, Text, UniqueConstraint

from chassis.database import Json, Timestamp, metadata

METADATA: Final = metadata()

NOTIFICATIONS: Final = Table(
    "notifications",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("order_id", Text),
    Column("customer", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("medium", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("short", Text, nullable=False),
    Column("long", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("address", Text),
    Column("created_at", Timestamp, nullable=False),
    Column("sent_at", Timestamp),
    UniqueConstraint("event_id", "medium"),
    Index("ix_notifications_customer_id", "customer", "id"),
    Index("ix_notifications_order_id", "order_id"),
    Index("ix_notifications_correlation_id", "correlation_id"),
)
"""What is told to whom: ``waiting``, ``sent``, or ``superseded`` by something newer about the same order."""

JOURNEYS: Final = Table(
    "journeys",
    METADATA,
    Column("order_id", Text, primary_key=True),
    Column("stage", Integer, nullable=False),
    Column("carrier", Text),
    Column("tracking_code", Text),
)
"""What is known of orders from their events, so that nobody has to be asked."""

PREFERENCES: Final = Table(
    "preferences",
    METADATA,
    Column("customer", Text, primary_key=True),
    Column("addresses", Json, nullable=False),
)
"""Addresses by medium of customers who have said how they want to be told."""

TRAIL: Final = Table(
    "trail",
    METADATA,
    Column("event_id", Text, primary_key=True),
    Column("event_type", Text, nullable=False),
    Column("producer", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("causation_id", Text, nullable=False),
    Column("order_id", Text),
    Column("happened_at", Timestamp, nullable=False),
    Index("ix_trail_correlation_id", "correlation_id"),
    Index("ix_trail_order_id", "order_id"),
    Index("ix_trail_happened_at", "happened_at"),
)
"""Every event of the shop, for a while, without what it says: who caused what."""
