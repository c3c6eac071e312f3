"""Stock and reservations in the database.

Who changes stock locks the rows first, always in the order of SKU and warehouse, so that two who want the same goods
wait for each other and never for each other's locks in a circle. A reservation is locked before its stock.
"""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, delete, insert, select, tuple_, update

from chassis.database import Session, insert_if_absent
from inventory.domain.allocation import Pick
from inventory.domain.errors import UnknownItemError
from inventory.domain.reservation import Reservation, Status
from inventory.domain.stock import StockItem
from inventory.tables import picks, reservations, stock, warehouses

_RESERVATION: Final = select(reservations).where(reservations.c.order_id == bindparam("wanted"))
_LOCK_RESERVATION: Final = _RESERVATION.with_for_update()
_PICKS: Final = (
    select(picks.c.sku, picks.c.warehouse, picks.c.units)
    .where(picks.c.order_id == bindparam("wanted"))
    .order_by(picks.c.sku, picks.c.warehouse)
)
"""A statement of its own: one that waits for the lock would give picks as they were before it."""
_SAVE_RESERVATION: Final = update(reservations).where(reservations.c.order_id == bindparam("wanted"))
_SAVE_ITEM: Final = update(stock).where(stock.c.sku == bindparam("this"), stock.c.warehouse == bindparam("here"))
_ADD_PICKS: Final = insert(picks)


async def read_nearest(session: Session, skus: Collection[str]) -> list[StockItem]:
    """Everything there is of some SKUs, to plan with. The nearest warehouse comes first."""
    query = select(stock).join(warehouses).where(stock.c.sku.in_(skus)).order_by(warehouses.c.distance, stock.c.sku)
    return [_item(row) for row in await session.execute(query)]


async def lock_item(session: Session, sku: str, warehouse: str) -> StockItem:
    """Lock one item. Raises ``UnknownItemError``."""
    query = select(stock).where(stock.c.sku == sku, stock.c.warehouse == warehouse).with_for_update()
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise UnknownItemError(f"{warehouse} has never had {sku}")
    return _item(row)


async def read_items(
    session: Session, *, sku: str | None = None, low: bool | None = None, limit: int, offset: int = 0
) -> list[StockItem]:
    """Items to look at, by SKU and nearness: all of one SKU, or only scarce ones, or both."""
    query = select(stock).join(warehouses).order_by(stock.c.sku, warehouses.c.distance).limit(limit).offset(offset)
    if sku is not None:
        query = query.where(stock.c.sku == sku)
    if low is not None:
        query = query.where(stock.c.low == low)
    return [_item(row) for row in await session.execute(query)]


async def lock_picked(session: Session, taken: Collection[Pick]) -> dict[Pick, StockItem]:
    """Lock the items that picks were taken from."""
    places = [(pick.sku, pick.warehouse) for pick in taken]
    query = (
        select(stock)
        .where(tuple_(stock.c.sku, stock.c.warehouse).in_(places))
        .order_by(stock.c.sku, stock.c.warehouse)
        .with_for_update()
    )
    found = {(row.sku, row.warehouse): _item(row) for row in await session.execute(query)}
    return {pick: found[pick.sku, pick.warehouse] for pick in taken}


async def save_item(session: Session, item: StockItem) -> None:
    """Write back an item that was locked."""
    values = asdict(item)
    there = {"this": values.pop("sku"), "here": values.pop("warehouse")}
    await session.execute(_SAVE_ITEM, {**values, **there})


async def open_reservation(session: Session, fresh: Reservation, *, now: datetime) -> Reservation:
    """Lock the reservation of an order; where there is none, ``fresh`` becomes it.

    Two that come at once for the same order wait here for one another, and the second finds what the first has made.
    """
    values = asdict(fresh)
    del values["picks"]
    made = await insert_if_absent(session, reservations, **values, updated_at=now)
    if made:
        return fresh
    found = await lock_reservation(session, fresh.order_id)
    return found or fresh


async def lock_reservation(session: Session, order_id: str) -> Reservation | None:
    """Lock the reservation of an order, if there is one."""
    row = (await session.execute(_LOCK_RESERVATION, {"wanted": order_id})).one_or_none()
    return None if row is None else await _reservation(session, row)


async def lock_overdue(session: Session, now: datetime) -> Reservation | None:
    """Lock one reservation that has expired and that nobody else is working on, if there is one."""
    query = (
        select(reservations)
        .where(reservations.c.status == Status.HELD, reservations.c.expires_at <= now)
        .order_by(reservations.c.expires_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = (await session.execute(query)).one_or_none()
    return None if row is None else await _reservation(session, row)


async def read_reservation(session: Session, order_id: str) -> Reservation | None:
    """The reservation of an order, to look at."""
    row = (await session.execute(_RESERVATION, {"wanted": order_id})).one_or_none()
    return None if row is None else await _reservation(session, row)


async def save_reservation(session: Session, before: Reservation, after: Reservation, *, now: datetime) -> Reservation:
    """Write back a reservation that was locked, with the places of its units."""
    values = {"status": after.status, "expires_at": after.expires_at, "updated_at": now}
    await session.execute(_SAVE_RESERVATION, {**values, "wanted": after.order_id})
    if before.picks and not after.picks:
        await session.execute(delete(picks).where(picks.c.order_id == after.order_id))
    if after.picks and not before.picks:
        rows = [{"order_id": after.order_id, **asdict(pick)} for pick in after.picks]
        await session.execute(_ADD_PICKS, rows)
    return after


async def _reservation(session: Session, row: Row[Any]) -> Reservation:
    taken = await session.execute(_PICKS, {"wanted": row.order_id})
    return Reservation(
        id=row.id,
        order_id=row.order_id,
        flow=row.flow,
        demand=tuple((sku, units) for sku, units in row.demand),
        expires_at=row.expires_at,
        origin=row.origin,
        status=Status(row.status),
        picks=tuple(Pick(*one) for one in taken),
    )


def _item(row: Row[Any]) -> StockItem:
    return StockItem(**row._mapping)  # noqa: SLF001 - public, in spite of its name
