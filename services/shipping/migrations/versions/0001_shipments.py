"""Shipments, and the books of the simulated carriers."""

import sqlalchemy as sa
from alembic import op

from chassis import tables_v1
from chassis.database import Json, Timestamp

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "shipments",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=True),
        sa.Column("parcel", Json, nullable=True),
        sa.Column("paid", sa.Boolean(), nullable=False),
        sa.Column("carrier", sa.Text(), nullable=True),
        sa.Column("tracking_code", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("cause", Json, nullable=True),
        sa.Column("asked_at", Timestamp(), nullable=True),
        sa.Column("due_at", Timestamp(), nullable=True),
        sa.Column("updated_at", Timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name="pk_shipments"),
        sa.UniqueConstraint("id", name="uq_shipments_id"),
        sa.UniqueConstraint("tracking_code", name="uq_shipments_tracking_code"),
    )
    op.create_index("ix_shipments_due", "shipments", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL"))
    op.create_table(
        "steps",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("at", Timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", "status", name="pk_steps"),
    )
    op.create_table(
        "withdrawals",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", Timestamp(), nullable=True),
        sa.PrimaryKeyConstraint("order_id", "carrier", name="pk_withdrawals"),
    )
    op.create_index("ix_withdrawals_due", "withdrawals", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL"))
    op.create_table(
        "carrier_parcels",
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("collect_at", Timestamp(), nullable=False),
        sa.Column("deliver_at", Timestamp(), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("carrier", "reference", name="pk_carrier_parcels"),
        sa.UniqueConstraint("code", name="uq_carrier_parcels_code"),
    )
    op.create_table(
        "carrier_conditions",
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("delay", sa.Float(), nullable=False),
        sa.Column("fail_percent", sa.Float(), nullable=False),
        sa.Column("hang", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("carrier", name="pk_carrier_conditions"),
    )
    tables_v1.outbox()
    tables_v1.inbox()


def downgrade() -> None:
    """Nothing of this service is left."""
    for name in ("inbox", "outbox", "outbox_sequences", "carrier_conditions", "carrier_parcels"):
        op.drop_table(name)
    for name in ("withdrawals", "steps", "shipments"):
        op.drop_table(name)
