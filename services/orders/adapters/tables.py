"""The tables of orders, and how an order and its saga stand in them.

An order is read and stored whole, so its lines and its address are in its row. The columns of a saga that are looked
for have names; the rest is ``data``.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, RowMapping, Table, Text

from chassis.database import Json, Timestamp, metadata
from orders.domain.address import Address
from orders.domain.money import Money
from orders.domain.order import Discount, Flow, Line, Order, Party, Status
from orders.domain.saga import Saga, SagaStatus, Step

METADATA: Final = metadata()

ORDERS: Final = Table(
    "orders",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text),
    Column("cancelled_by", Text),
    Column("flow", Text, nullable=False),
    Column("lines", Json, nullable=False),
    Column("address", Json, nullable=False),
    Column("currency", Text, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("discount", BigInteger),
    Column("discount_rule", Text),
    Column("placed_at", Timestamp(), nullable=False),
    Column("updated_at", Timestamp(), nullable=False),
    Column("version", Integer, nullable=False),
)
Index("ix_orders_customer_id", ORDERS.c.customer, ORDERS.c.id)

SAGAS: Final = Table(
    "sagas",
    METADATA,
    Column("id", Text, ForeignKey(ORDERS.c.id), primary_key=True),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("current_step", Text),
    Column("completed_steps", Json, nullable=False),
    Column("data", Json, nullable=False),
    Column("started_at", Timestamp(), nullable=False),
    Column("updated_at", Timestamp(), nullable=False),
    Column("due_at", Timestamp()),
    Column("driver", Text),
    Column("driven_until", Timestamp()),
    Column("version", Integer, nullable=False),
)
_DUE: Final = SAGAS.c.due_at.is_not(None)
_DRIVEN: Final = SAGAS.c.driver.is_not(None)
Index("ix_sagas_due_at", SAGAS.c.due_at, postgresql_where=_DUE, sqlite_where=_DUE)
Index("ix_sagas_driver", SAGAS.c.driver, postgresql_where=_DRIVEN, sqlite_where=_DRIVEN)
Index("ix_sagas_status_id", SAGAS.c.status, SAGAS.c.id)


def row_of(order: Order) -> dict[str, Any]:
    """An order as its columns."""
    lines = [{"sku": line.sku, "quantity": line.quantity, "price": line.unit_price.amount} for line in order.lines]
    return {
        "id": order.id,
        "customer": order.customer,
        "status": order.status,
        "reason": order.reason,
        "cancelled_by": order.cancelled_by,
        "flow": order.flow,
        "lines": lines,
        "address": asdict(order.address),
        "currency": order.total.currency,
        "total": order.total.amount,
        "discount": order.discount and order.discount.amount.amount,
        "discount_rule": order.discount and order.discount.rule,
        "placed_at": order.placed_at,
        "version": order.version,
    }


def order_of(row: RowMapping, prefix: str = "") -> Order:
    """The order of a row."""
    columns = _unprefixed(row, prefix)
    currency = columns["currency"]
    rule = columns["discount_rule"]
    return Order(
        id=columns["id"],
        customer=columns["customer"],
        lines=tuple(Line(line["sku"], line["quantity"], Money(line["price"], currency)) for line in columns["lines"]),
        address=Address(**columns["address"]),
        flow=Flow(columns["flow"]),
        placed_at=columns["placed_at"],
        discount=Discount(rule, Money(columns["discount"], currency)) if rule else None,
        status=Status(columns["status"]),
        reason=columns["reason"],
        cancelled_by=Party(columns["cancelled_by"]) if columns["cancelled_by"] else None,
        version=columns["version"],
    )


def saga_row(saga: Saga) -> dict[str, Any]:
    """A saga as its columns."""
    return {
        "id": saga.id,
        "type": saga.type,
        "status": saga.status,
        "current_step": saga.current,
        "completed_steps": list(saga.completed),
        "data": {
            "toUndo": list(saga.to_undo),
            "undone": list(saga.undone),
            "attempts": saga.attempts,
            "waitsSince": saga.waits_since and saga.waits_since.isoformat(),
            "reason": saga.reason,
            "trouble": saga.trouble,
            "asked": saga.asked,
            "trail": dict(saga.trail),
        },
        "started_at": saga.started_at,
        "updated_at": saga.updated_at,
        "due_at": saga.due_at,
        "version": saga.version,
    }


def saga_of(row: RowMapping, prefix: str = "") -> Saga:
    """The saga of a row."""
    columns = _unprefixed(row, prefix)
    data = columns["data"]
    return Saga(
        id=columns["id"],
        type=Flow(columns["type"]),
        status=SagaStatus(columns["status"]),
        current=Step(columns["current_step"]) if columns["current_step"] else None,
        completed=tuple(map(Step, columns["completed_steps"])),
        to_undo=tuple(map(Step, data["toUndo"])),
        undone=tuple(map(Step, data["undone"])),
        attempts=data["attempts"],
        waits_since=datetime.fromisoformat(data["waitsSince"]) if data["waitsSince"] else None,
        reason=data["reason"],
        trouble=data.get("trouble"),  # records of the revision before have neither of these
        asked=data.get("asked", False),
        trail=data["trail"],
        started_at=columns["started_at"],
        updated_at=columns["updated_at"],
        due_at=columns["due_at"],
        version=columns["version"],
    )


def _unprefixed(row: RowMapping, prefix: str) -> Mapping[str, Any]:
    return {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)}
