"""Notifications, what is known of orders, preferences, and the trail of events."""

import sqlalchemy as sa
from alembic import op

from chassis import tables_v1
from chassis.database import Json, Timestamp

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    tables_v1.inbox()
    op.create_table(
        "notifications",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text()),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("medium", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("short", sa.Text(), nullable=False),
        sa.Column("long", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("address", sa.Text()),
        sa.Column("created_at", Timestamp(), nullable=False),
        sa.Column("sent_at", Timestamp()),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
        sa.UniqueConstraint("event_id", "medium", name="uq_notifications_event_id"),
    )
    op.create_index("ix_notifications_customer_id", "notifications", ["customer", "id"])
    op.create_index("ix_notifications_order_id", "notifications", ["order_id"])
    op.create_index("ix_notifications_correlation_id", "notifications", ["correlation_id"])
    op.create_table(
        "journeys",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("carrier", sa.Text()),
        sa.Column("tracking_code", sa.Text()),
        sa.PrimaryKeyConstraint("order_id", name="pk_journeys"),
    )
    op.create_table(
        "preferences",
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("addresses", Json, nullable=False),
        sa.PrimaryKeyConstraint("customer", name="pk_preferences"),
    )
    op.create_table(
        "trail",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("producer", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("causation_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text()),
        sa.Column("happened_at", Timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_trail"),
    )
    op.create_index("ix_trail_correlation_id", "trail", ["correlation_id"])
    op.create_index("ix_trail_order_id", "trail", ["order_id"])
    op.create_index("ix_trail_happened_at", "trail", ["happened_at"])
