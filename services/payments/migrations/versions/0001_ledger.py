"""Everything payments keeps, and events that nobody can change."""

import sqlalchemy as sa
from alembic import op

from chassis import tables_v1
from chassis.database import Json, Timestamp

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    _events()
    _projection()
    _work()
    tables_v1.outbox()
    tables_v1.inbox()
    tables_v1.idempotency_keys()


def _events() -> None:
    op.create_table(
        "streams",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", Timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_streams"),
    )
    op.create_table(
        "events",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("schema", sa.Integer(), nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.Column("recorded_at", Timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "version", name="pk_events"),
    )
    op.create_table(
        "snapshots",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("schema", sa.Integer(), nullable=False),
        sa.Column("state", Json, nullable=False),
        sa.Column("recorded_at", Timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "version", name="pk_snapshots"),
    )
    for statement in _APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


_WHY = "events are never changed: add one that says otherwise"
_APPEND_ONLY = {
    "postgresql": (
        f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{_WHY}'; END $$",
        "CREATE TRIGGER kept BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION refuse()",
        "CREATE TRIGGER all_kept BEFORE TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION refuse()",
    ),
    "sqlite": (
        f"CREATE TRIGGER kept_as_is BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, '{_WHY}'); END",
        f"CREATE TRIGGER kept BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, '{_WHY}'); END",
    ),
}


def _projection() -> None:
    op.create_table(
        "account_balances",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "currency", name="pk_account_balances"),
    )
    op.create_table(
        "projected_streams",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stream", name="pk_projected_streams"),
    )


def _work() -> None:
    op.create_table(
        "invoices",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("issued_at", Timestamp(), nullable=False),
        sa.Column("due_at", Timestamp(), nullable=False),
        sa.Column("origin", Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_invoices"),
        sa.UniqueConstraint("order_id", name="uq_invoices_order_id"),
    )
    op.create_index("ix_invoices_status_due_at", "invoices", ["status", "due_at"])
    op.create_index("ix_invoices_customer_issued_at", "invoices", ["customer", "issued_at"])
    op.create_table(
        "open_charges",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("due_at", Timestamp(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("origin", Json, nullable=False),
        sa.PrimaryKeyConstraint("order_id", name="pk_open_charges"),
    )
    op.create_index("ix_open_charges_due_at", "open_charges", ["due_at"])
    op.create_table(
        "known_orders",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("reserved", sa.Integer(), nullable=False),
        sa.Column("seen_at", Timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name="pk_known_orders"),
    )
    op.create_table(
        "fraud_rules",
        sa.Column("version", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("loaded_at", Timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_fraud_rules"),
    )
