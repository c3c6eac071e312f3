"""Invoices: what tells a customer how much is due, and when. Plain rows, for they have no history worth keeping.

What is owed is in the ledger; an invoice only says where the demand for it stands.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import RowMapping, insert, select, update

from chassis.database import Session
from payments.domain.money import Money
from payments.origin import Origin
from payments.store.tables import invoices

OPEN: Final = "open"
OVERDUE: Final = "overdue"
PAID: Final = "paid"
CANCELLED: Final = "cancelled"
CREDITED: Final = "credited"


@dataclass(frozen=True, slots=True)
class Invoice:
    """A demand for money."""

    id: str
    order: str
    customer: str
    money: Money
    status: str
    issued_at: datetime
    due_at: datetime


async def issue(session: Session, invoice: Invoice, origin: Origin) -> None:
    """Keep a new invoice."""
    row = {
        "id": invoice.id,
        "order_id": invoice.order,
        "customer": invoice.customer,
        "amount": invoice.money.amount,
        "currency": invoice.money.currency,
        "status": invoice.status,
        "issued_at": invoice.issued_at,
        "due_at": invoice.due_at,
        "origin": origin.as_dict(),
    }
    await session.execute(insert(invoices).values(row))


async def change_status(session: Session, order: str, status: str) -> None:
    """Where the demand for an order stands now."""
    await session.execute(update(invoices).where(invoices.c.order_id == order).values(status=status))


async def find(session: Session, *, limit: int, **wanted: str | None) -> Sequence[Invoice]:
    """Invoices whose columns have the values that are wanted, the latest first."""
    given = {name: value for name, value in wanted.items() if value is not None}
    query = select(invoices).filter_by(**given).order_by(invoices.c.issued_at.desc(), invoices.c.id).limit(limit)
    return [_invoice(row) for row in (await session.execute(query)).mappings()]


async def become_overdue(session: Session, *, now: datetime, limit: int = 100) -> list[tuple[Invoice, Origin]]:
    """Open invoices whose day has passed are overdue from now on, each once."""
    due = (
        select(invoices)
        .where(invoices.c.status == OPEN, invoices.c.due_at <= now)
        .order_by(invoices.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = (await session.execute(due)).mappings().all()
    await session.execute(
        update(invoices).where(invoices.c.id.in_([row["id"] for row in found])).values(status=OVERDUE)
    )
    return [(_invoice(row), Origin.read(row["origin"])) for row in found]


def _invoice(row: RowMapping) -> Invoice:
    return Invoice(
        id=row["id"],
        order=row["order_id"],
        customer=row["customer"],
        money=Money(row["amount"], row["currency"]),
        status=row["status"],
        issued_at=row["issued_at"],
        due_at=row["due_at"],
    )
