"""The latest orders of this process, in memory and bounded."""

from collections import OrderedDict
from itertools import islice

from orders.domain.order import Order


class MemoryRecentOrders:
    """Keeps the latest ``limit`` orders, and forgets the oldest."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._orders: OrderedDict[str, Order] = OrderedDict()

    def add(self, order: Order) -> None:
        """Remember an order."""
        self._orders.setdefault(order.number, order)
        if len(self._orders) > self._limit:
            self._orders.popitem(last=False)

    def of(self, customer: str, *, limit: int) -> list[Order]:
        """At most ``limit`` orders of a customer, the latest first."""
        of_customer = (order for order in reversed(self._orders.values()) if order.customer == customer)
        return list(islice(of_customer, limit))
