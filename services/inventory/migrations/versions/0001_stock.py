"""Warehouses, stock and reservations; opening stock of everything that the catalog sells."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from chassis import tables_v1
from chassis.database import Json, Timestamp

revision = "0001"
down_revision = None

WAREHOUSES = [("kiel", "Kiel, Schwedenkai", 1), ("bremen", "Bremen, Neustädter Hafen", 2), ("gdynia", "Gdynia", 3)]
SKUS = [
    "anchor-01",
    "anchor-02",
    "barometer-01",
    "bell-01",
    "bilge-01",
    "binocular-01",
    "block-01",
    "block-02",
    "bucket-01",
    "chart-01",
    "cleat-01",
    "compass-01",
    "fender-01",
    "flare-01",
    "harness-01",
    "lamp-01",
    "log-01",
    "oar-01",
    "rope-01",
    "rope-02",
    "sextant-01",
    "shackle-01",
    "whistle-01",
    "winch-01",
]
OPENING = 1_000_000
REORDER_POINT = 1_000
OPENED = datetime(2026, 1, 1, tzinfo=UTC)


def upgrade() -> None:
    """Make the tables and fill the shelves."""
    warehouses = op.create_table(
        "warehouses",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("distance", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_warehouses"),
    )
    counts = ("received", "available", "reserved", "shipped", "reorder_point", "order_up_to")
    stock = op.create_table(
        "stock",
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("warehouse", sa.Text(), nullable=False),
        *[sa.Column(name, sa.BigInteger(), nullable=False) for name in counts],
        sa.Column("low", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("sku", "warehouse", name="pk_stock"),
        _at_warehouse("stock"),
        sa.CheckConstraint("available >= 0 AND reserved >= 0 AND shipped >= 0", name="ck_stock_not_negative"),
        sa.CheckConstraint("received = available + reserved + shipped", name="ck_stock_conserved"),
    )
    op.create_table(
        "reservations",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("demand", Json, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("expires_at", Timestamp(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("updated_at", Timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name="pk_reservations"),
        sa.UniqueConstraint("id", name="uq_reservations_id"),
    )
    held = sa.text("status = 'held'")
    op.create_index("ix_reservations_overdue", "reservations", ["expires_at"], postgresql_where=held)
    op.create_table(
        "picks",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("warehouse", sa.Text(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", "sku", "warehouse", name="pk_picks"),
        sa.ForeignKeyConstraint(["order_id"], ["reservations.order_id"], name="fk_picks_order_id"),
        sa.CheckConstraint("units > 0", name="ck_picks_some"),
    )
    receipts = op.create_table("receipts", *_goods("receipts"), sa.Column("received_at", Timestamp(), nullable=False))
    op.create_table(
        "purchases",
        *_goods("purchases"),
        sa.Column("due_at", Timestamp(), nullable=False),
        sa.Column("received_at", Timestamp(), nullable=True),
    )
    on_their_way = sa.text("received_at IS NULL")
    op.create_index("ix_purchases_open", "purchases", ["sku", "warehouse"], postgresql_where=on_their_way)
    tables_v1.outbox()
    tables_v1.inbox()
    tables_v1.idempotency_keys()

    op.bulk_insert(warehouses, [{"code": code, "name": name, "distance": rank} for code, name, rank in WAREHOUSES])
    places = [(sku, code) for sku in SKUS for code, _, _ in WAREHOUSES]
    item = {"received": OPENING, "available": OPENING, "reserved": 0, "shipped": 0, "low": False}
    levels = {"reorder_point": REORDER_POINT, "order_up_to": OPENING}
    op.bulk_insert(stock, [{"sku": sku, "warehouse": code, **item, **levels} for sku, code in places])
    opening = [
        {"id": f"opening/{code}/{sku}", "sku": sku, "warehouse": code, "units": OPENING, "received_at": OPENED}
        for sku, code in places
    ]
    op.bulk_insert(receipts, opening)


def downgrade() -> None:
    """Nothing of this service is left."""
    for name in ("idempotency_keys", "inbox", "outbox", "outbox_sequences"):
        op.drop_table(name)
    for name in ("purchases", "receipts", "picks", "reservations", "stock", "warehouses"):
        op.drop_table(name)


def _goods(table: str) -> list[sa.schema.SchemaItem]:
    """Columns of a table of goods that come in."""
    return [
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("warehouse", sa.Text(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        _at_warehouse(table),
        sa.CheckConstraint("units > 0", name=f"ck_{table}_some"),
    ]


def _at_warehouse(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["warehouse"], ["warehouses.code"], name=f"fk_{table}_warehouse")
