"""Tables of inventory. The laws of stock stand in them too: code that forgot one would be refused by the database."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text, text

from chassis.database import Json, Timestamp, metadata

META = metadata()

warehouses = Table(
    "warehouses",
    META,
    Column("code", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("distance", Integer, nullable=False),
)
"""Places. ``distance`` ranks them: the nearest is asked first."""

stock = Table(
    "stock",
    META,
    Column("sku", Text, primary_key=True),
    Column("warehouse", Text, ForeignKey("warehouses.code"), primary_key=True),
    Column("received", BigInteger, nullable=False),
    Column("available", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("shipped", BigInteger, nullable=False),
    Column("reorder_point", BigInteger, nullable=False),
    Column("order_up_to", BigInteger, nullable=False),
    Column("low", Boolean, nullable=False),
    CheckConstraint("available >= 0 AND reserved >= 0 AND shipped >= 0", name="not_negative"),
    CheckConstraint("received = available + reserved + shipped", name="conserved"),
)

reservations = Table(
    "reservations",
    META,
    Column("order_id", Text, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("flow", Text, nullable=False),
    Column("demand", Json, nullable=False),
    Column("status", Text, nullable=False),
    Column("expires_at", Timestamp, nullable=False),
    Column("origin", Text, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
    Index("ix_reservations_overdue", "expires_at", postgresql_where=text("status = 'held'")),
)
"""One for an order: the primary key is what makes a repeated request find the first one."""

picks = Table(
    "picks",
    META,
    Column("order_id", Text, ForeignKey("reservations.order_id"), primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("warehouse", Text, primary_key=True),
    Column("units", BigInteger, nullable=False),
    CheckConstraint("units > 0", name="some"),
)
"""Where units of a reservation are held, or were shipped from; a reservation that holds nothing has none."""

receipts = Table(
    "receipts",
    META,
    Column("id", Text, primary_key=True),
    Column("sku", Text, nullable=False),
    Column("warehouse", Text, ForeignKey("warehouses.code"), nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("received_at", Timestamp, nullable=False),
    CheckConstraint("units > 0", name="some"),
)
"""Everything that ever came in."""

purchases = Table(
    "purchases",
    META,
    Column("id", Text, primary_key=True),
    Column("sku", Text, nullable=False),
    Column("warehouse", Text, ForeignKey("warehouses.code"), nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("due_at", Timestamp, nullable=False),
    Column("received_at", Timestamp),
    CheckConstraint("units > 0", name="some"),
    Index("ix_purchases_open", "sku", "warehouse", postgresql_where=text("received_at IS NULL")),
)
"""What was ordered from the supplier; without ``received_at`` it is on its way."""
