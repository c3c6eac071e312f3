"""Goods that come in: receipts, and the purchases by which scarce goods are replenished.

The supplier is simulated: what is ordered arrives after its lead time, in full.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import func, insert, select, update

from chassis.database import Session, insert_if_absent
from chassis.ids import new_id
from inventory import store
from inventory.domain.errors import InventoryError
from inventory.domain.replenishment import check_policy, units_to_buy
from inventory.domain.stock import StockItem
from inventory.levels import Levels
from inventory.tables import purchases, receipts, stock, warehouses


class UnknownPlaceError(InventoryError):
    """There is no such warehouse, or it has never had this."""


class Supply:
    """What brings goods into the house. ``lead_time`` is what the supplier takes."""

    def __init__(self, *, levels: Levels, lead_time: timedelta, now: Callable[[], datetime]) -> None:
        self._levels = levels
        self._lead_time = lead_time
        self._now = now

    async def receive(
        self, session: Session, sku: str, warehouse: str, units: int, *, receipt: str | None = None
    ) -> StockItem:
        """Put goods on the shelf; ``receipt`` is the id under which that is remembered.

        The first ones of their kind make a place for them. Raises ``UnknownPlaceError`` for an unknown warehouse.
        """
        if not (await session.execute(select(warehouses.c.code).where(warehouses.c.code == warehouse))).first():
            raise UnknownPlaceError(f"there is no warehouse {warehouse}")
        await insert_if_absent(session, stock, **_empty_shelf(sku, warehouse))
        before = await store.lock_item(session, sku, warehouse)
        after = before.receive(units)
        await self._levels.save(session, before, after)
        values = {"sku": sku, "warehouse": warehouse, "units": units, "received_at": self._now()}
        await session.execute(insert(receipts).values(id=receipt or new_id(), **values))
        return after

    async def set_policy(
        self, session: Session, sku: str, warehouse: str, *, reorder_point: int, order_up_to: int
    ) -> StockItem:
        """Say when a thing is scarce, and up to which level it is bought. Raises ``InventoryError``."""
        check_policy(reorder_point=reorder_point, order_up_to=order_up_to)
        before = await store.lock_item(session, sku, warehouse)
        after = before.under(reorder_point=reorder_point, order_up_to=order_up_to)
        await self._levels.save(session, before, after)
        return after

    async def scarce(self, session: Session) -> list[tuple[str, str]]:
        """SKU and warehouse of everything that may have to be bought."""
        query = select(stock.c.sku, stock.c.warehouse).where(stock.c.low, stock.c.order_up_to > 0)
        return [(sku, warehouse) for sku, warehouse in await session.execute(query)]

    async def buy(self, session: Session, sku: str, warehouse: str) -> int:
        """Order what the policy says; the units that were ordered, 0 for none."""
        item = await store.lock_item(session, sku, warehouse)  # two that buy at once would buy twice
        ours = (purchases.c.sku == sku, purchases.c.warehouse == warehouse, purchases.c.received_at.is_(None))
        on_order = await session.scalar(select(func.coalesce(func.sum(purchases.c.units), 0)).where(*ours))
        units = units_to_buy(item, on_order=int(on_order or 0))
        if units:
            due = self._now() + self._lead_time
            values = {"id": new_id(), "sku": sku, "warehouse": warehouse, "units": units, "due_at": due}
            await session.execute(insert(purchases).values(values))
        return units

    async def receive_due(self, session: Session) -> bool:
        """Receive one purchase that has arrived; whether there was one."""
        query = (
            select(purchases)
            .where(purchases.c.received_at.is_(None), purchases.c.due_at <= self._now())
            .order_by(purchases.c.due_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        row = (await session.execute(query)).one_or_none()
        if row is None:
            return False
        await session.execute(update(purchases).where(purchases.c.id == row.id).values(received_at=self._now()))
        await self.receive(session, row.sku, row.warehouse, row.units, receipt=row.id)
        return True


def _empty_shelf(sku: str, warehouse: str) -> dict[str, object]:
    counts = dict.fromkeys(("received", "available", "reserved", "shipped", "reorder_point", "order_up_to"), 0)
    return {"sku": sku, "warehouse": warehouse, **counts, "low": False}
