"""When to buy, and how much: the (s, S) policy.

When what is free and what is on its way together sink to the reorder point s, order up to the level S. Counting what is
on its way keeps a slow supplier from being asked for the same goods at every look. With a fixed cost for each delivery
no policy is cheaper: H. Scarf, "The optimality of (S, s) policies in the dynamic inventory problem", 1960.
"""

from inventory.domain.errors import InventoryError
from inventory.domain.stock import StockItem


def units_to_buy(item: StockItem, *, on_order: int) -> int:
    """Units to order now, 0 for none. An item whose ``order_up_to`` is 0 is never bought."""
    position = item.available + on_order
    if item.order_up_to == 0 or position > item.reorder_point:
        return 0
    return item.order_up_to - position


def check_policy(*, reorder_point: int, order_up_to: int) -> None:
    """Raise ``InventoryError`` for a policy that would buy nothing, or less than nothing."""
    if reorder_point < 0 or order_up_to < 0:
        raise InventoryError("levels can't be below zero")
    if order_up_to != 0 and order_up_to <= reorder_point:
        raise InventoryError(f"order up to {order_up_to} isn't above the reorder point {reorder_point}; 0 buys nothing")
