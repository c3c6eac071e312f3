"""Saves a stock item that has changed, and tells others when it has become scarce."""

from chassis.database import Session
from chassis.events import Envelope, event
from chassis.outbox import Outbox
from inventory import store
from inventory.domain.stock import StockItem


class Levels:
    """Where every change of a stock item goes through."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def save(
        self, session: Session, before: StockItem, after: StockItem, *, cause: Envelope | None = None
    ) -> None:
        """Write back an item that was locked."""
        await store.save_item(session, after)
        if after.low and not before.low:
            payload = _about(after) | ({"threshold": after.reorder_point} if after.reorder_point else {})
            await self._tell(session, after, event("StockLow", payload, cause=cause))
        if after.received > before.received:
            payload = {**_about(after), "received": after.received - before.received}
            await self._tell(session, after, event("StockReplenished", payload, cause=cause))

    async def _tell(self, session: Session, item: StockItem, envelope: Envelope) -> None:
        await self._outbox.add(session, envelope, aggregate_id=f"{item.sku}@{item.warehouse}")


def _about(item: StockItem) -> dict[str, object]:
    return {"sku": item.sku, "warehouse": item.warehouse, "available": item.available}
