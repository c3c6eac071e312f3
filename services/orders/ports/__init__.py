"""What ordering needs from outside, as small classes that an adapter fills and a test can."""

from collections.abc import Collection, Mapping
from typing import Protocol

from orders.domain.money import Money
from orders.domain.order import Order


class Prices(Protocol):
    """What products cost now."""

    async def of(self, skus: Collection[str]) -> Mapping[str, Money]:
        """Prices by SKU. A product that doesn't exist is left out."""


class References(Protocol):
    """Ids by which any process finds an order again."""

    def refer(self, order: Order) -> str:
        """The id of an order: the same for the same order."""

    def resolve(self, reference: str) -> Order | None:
        """The order of an id, or None when it isn't one of ours."""


class RecentOrders(Protocol):
    """Orders that were placed lately."""

    def add(self, order: Order) -> None:
        """Remember an order. Adding it again changes nothing."""

    def of(self, customer: str, *, limit: int) -> list[Order]:
        """At most ``limit`` orders of a customer, the latest first."""
