"""Orders, their sagas, and what the chassis keeps beside them."""

import sqlalchemy as sa
from alembic import op

from chassis import tables_v1
from chassis.database import Json, Timestamp

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "orders",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("cancelled_by", sa.Text()),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("lines", Json, nullable=False),
        sa.Column("address", Json, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("discount", sa.BigInteger()),
        sa.Column("discount_rule", sa.Text()),
        sa.Column("placed_at", Timestamp(), nullable=False),
        sa.Column("updated_at", Timestamp(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_orders"),
    )
    op.create_index("ix_orders_customer_id", "orders", ["customer", "id"])
    op.create_table(
        "sagas",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("current_step", sa.Text()),
        sa.Column("completed_steps", Json, nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.Column("started_at", Timestamp(), nullable=False),
        sa.Column("updated_at", Timestamp(), nullable=False),
        sa.Column("due_at", Timestamp()),
        sa.Column("driver", sa.Text()),
        sa.Column("driven_until", Timestamp()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sagas"),
        sa.ForeignKeyConstraint(["id"], ["orders.id"], name="fk_sagas_id_orders"),
    )
    for column in ("due_at", "driver"):
        there = sa.text(f"{column} IS NOT NULL")
        op.create_index(f"ix_sagas_{column}", "sagas", [column], postgresql_where=there, sqlite_where=there)
    op.create_index("ix_sagas_status_id", "sagas", ["status", "id"])
    tables_v1.outbox()
    tables_v1.inbox()
    tables_v1.idempotency_keys()


def downgrade() -> None:
    """Nothing goes back: the revision before had no tables, and doesn't mind these."""
