"""A stock item: one thing in one warehouse, as this service sees it.

Orders speaks of products with names and prices; here a thing has a place and is counted. The law of conservation is
part of the type: whatever was received is free, held for an order, or has left. No item can exist that breaks it.
"""

from dataclasses import dataclass, replace
from typing import Self

from inventory.domain.errors import InventoryError, ShortError, Shortfall


@dataclass(frozen=True, slots=True)
class StockItem:
    """Counts of one thing in one warehouse.

    ``low`` is set when ``available`` sinks to ``reorder_point``, and only goods that come in clear it: an order that is
    cancelled in between must not call off the warning, or each order around the mark would raise it anew.
    """

    sku: str
    warehouse: str
    received: int = 0
    available: int = 0
    reserved: int = 0
    shipped: int = 0
    reorder_point: int = 0
    order_up_to: int = 0
    low: bool = False

    def __post_init__(self) -> None:
        if min(self.received, self.available, self.reserved, self.shipped) < 0:
            raise InventoryError(f"{self}: a count can't be below zero")
        if self.received != self.available + self.reserved + self.shipped:
            raise InventoryError(f"{self}: received is not available + reserved + shipped")

    def receive(self, units: int) -> Self:
        """Goods come in."""
        _positive(units)
        available = self.available + units
        low = self.low and available <= self.reorder_point
        return replace(self, received=self.received + units, available=available, low=low)

    def reserve(self, units: int) -> Self:
        """Hold units for an order. Raises ``ShortError`` when there are fewer."""
        _positive(units)
        if units > self.available:
            raise ShortError([Shortfall(self.sku, units, self.available)])
        available = self.available - units
        low = self.low or available <= self.reorder_point
        return replace(self, available=available, reserved=self.reserved + units, low=low)

    def release(self, units: int) -> Self:
        """Held units are free again."""
        _positive(units)
        return replace(self, available=self.available + units, reserved=self.reserved - units)

    def ship(self, units: int) -> Self:
        """Held units leave the house."""
        _positive(units)
        return replace(self, reserved=self.reserved - units, shipped=self.shipped + units)

    def take_back(self, units: int) -> Self:
        """Units that had left are free again."""
        _positive(units)
        return replace(self, available=self.available + units, shipped=self.shipped - units)

    def under(self, *, reorder_point: int, order_up_to: int) -> Self:
        """The same goods under another policy."""
        low = self.available <= reorder_point
        return replace(self, reorder_point=reorder_point, order_up_to=order_up_to, low=low)


def _positive(units: int) -> None:
    if units < 1:
        raise InventoryError(f"{units} units: at least 1 moves")
