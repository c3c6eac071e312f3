"""What must be true of the stock at any moment, asked of the database itself: it holds between any two transactions.

The constraints of the tables refuse what breaks a law within one row. Here are the laws between tables: each count must
be explained by what came in and by what is held.
"""

from typing import Final

from sqlalchemy import Text, cast, func, select
from sqlalchemy.sql import Select, Subquery

from inventory.domain.reservation import Status
from inventory.tables import picks, receipts, reservations, stock


def _sum_of(statuses: tuple[Status, ...]) -> Subquery:
    """Units picked for reservations in these states, by place."""
    return (
        select(picks.c.sku, picks.c.warehouse, func.sum(picks.c.units).label("units"))
        .join(reservations, reservations.c.order_id == picks.c.order_id)
        .where(reservations.c.status.in_(statuses))
        .group_by(picks.c.sku, picks.c.warehouse)
        .subquery()
    )


def _unequal(column: str, sums: Subquery) -> Select[tuple[str]]:
    """Places where a count isn't what the movements add up to."""
    place = (stock.c.sku == sums.c.sku) & (stock.c.warehouse == sums.c.warehouse)
    explained = func.coalesce(sums.c.units, 0)
    text = stock.c.sku + "@" + stock.c.warehouse + ": " + cast(stock.c[column], Text) + " " + column
    text = text + ", explained " + cast(explained, Text)
    return select(text).select_from(stock.outerjoin(sums, place)).where(stock.c[column] != explained)


_RECEIVED: Final = (
    select(receipts.c.sku, receipts.c.warehouse, func.sum(receipts.c.units).label("units"))
    .group_by(receipts.c.sku, receipts.c.warehouse)
    .subquery()
)
_PICKED: Final = select(picks.c.order_id, func.sum(picks.c.units).label("units")).group_by(picks.c.order_id).subquery()
_HOLDING: Final = (Status.HELD, Status.COMMITTED, Status.SHIPPED)

LAWS: Final = {
    "no count is below zero, and received = available + reserved + shipped": select(
        stock.c.sku + "@" + stock.c.warehouse
    ).where(
        (stock.c.available < 0)
        | (stock.c.reserved < 0)
        | (stock.c.shipped < 0)
        | (stock.c.received != stock.c.available + stock.c.reserved + stock.c.shipped)
    ),
    "received is the sum of all receipts": _unequal("received", _RECEIVED),
    "reserved is the sum of what is held and committed": _unequal("reserved", _sum_of((Status.HELD, Status.COMMITTED))),
    "shipped is the sum of what has left": _unequal("shipped", _sum_of((Status.SHIPPED,))),
    "a reservation that holds nothing has no goods, and one that holds has some": select(
        reservations.c.order_id + ": " + reservations.c.status
    )
    .select_from(reservations.outerjoin(_PICKED, _PICKED.c.order_id == reservations.c.order_id))
    .where(reservations.c.status.in_(_HOLDING) != (func.coalesce(_PICKED.c.units, 0) > 0)),
}
