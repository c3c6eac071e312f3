"""Use cases of ordering: each asks the ports for what the domain needs, and lets the domain decide."""

from collections.abc import Sequence
from dataclasses import dataclass

from orders.domain.order import Item, Order, merged
from orders.ports import Prices, RecentOrders, References


@dataclass(frozen=True, slots=True)
class Placed:
    """An order together with the id under which it is found again."""

    reference: str
    order: Order


class Ordering:
    """What one can do with orders, whoever drives it."""

    def __init__(self, *, prices: Prices, references: References, recent: RecentOrders) -> None:
        self._prices = prices
        self._references = references
        self._recent = recent

    async def place(self, *, customer: str, items: Sequence[Item], key: str) -> Placed:
        """Place an order at the prices of now. Raises ``OrderError``. Repeating it with the same key is safe."""
        prices = await self._prices.of(merged(items).keys())
        order = Order.place(customer=customer, items=items, prices=prices, key=key)
        self._recent.add(order)
        return self._placed(order)

    def find(self, reference: str) -> Placed | None:
        """An order by its id, whichever process placed it."""
        order = self._references.resolve(reference)
        return Placed(reference, order) if order else None

    def recent(self, customer: str, *, limit: int) -> list[Placed]:
        """At most ``limit`` orders of a customer that this process has placed lately, the latest first."""
        return [self._placed(order) for order in self._recent.of(customer, limit=limit)]

    def _placed(self, order: Order) -> Placed:
        return Placed(self._references.refer(order), order)
