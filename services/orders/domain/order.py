"""The order: an aggregate that can't exist in a state that breaks its rules.

Its rules: at least one line and at most 50, each product in one line only, quantities of 1 to 999, one currency. An
order refers to its customer and products by id, and keeps the prices of the moment in which it was placed.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Final, Self

from orders.domain.errors import OrderError, UnknownProductsError
from orders.domain.money import Money

MOST_LINES: Final = 50
LARGEST_QUANTITY: Final = 999


@dataclass(frozen=True, slots=True)
class Item:
    """What a customer asks for: a product by its SKU, and how many of it."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Line:
    """A product in an order, at its price when the order was placed."""

    sku: str
    quantity: int
    unit_price: Money

    def __post_init__(self) -> None:
        if not 1 <= self.quantity <= LARGEST_QUANTITY:
            raise OrderError(f"{self.quantity} of {self.sku}: order 1 to {LARGEST_QUANTITY} of a product")

    @property
    def total(self) -> Money:
        """Price of the whole line."""
        return self.unit_price * self.quantity


@dataclass(frozen=True, slots=True)
class Order:
    """A placed order. Two orders are the same one when their numbers are."""

    number: str
    customer: str
    lines: tuple[Line, ...]

    def __post_init__(self) -> None:
        if not self.number or not self.customer:
            raise OrderError("an order has a number and a customer")
        if not 1 <= len(self.lines) <= MOST_LINES:
            raise OrderError(f"{len(self.lines)} products: an order has 1 to {MOST_LINES}")
        if len({line.sku for line in self.lines}) != len(self.lines):
            raise OrderError("a product stands in one line of an order only")
        _ = self.total  # refuses mixed currencies

    @property
    def total(self) -> Money:
        """What the order costs."""
        return reduce(add, (line.total for line in self.lines))

    @classmethod
    def place(cls, *, customer: str, items: Iterable[Item], prices: Mapping[str, Money], key: str) -> Self:
        """Place an order. The same product asked for twice becomes one line.

        ``key`` makes the number: the same customer, items and key give the same order, whoever places it and however
        often. Raises ``OrderError`` for what breaks a rule.
        """
        quantities = merged(items)
        unknown = quantities.keys() - prices.keys()
        if unknown:
            raise UnknownProductsError(unknown)
        lines = tuple(Line(sku, quantity, prices[sku]) for sku, quantity in quantities.items())
        return cls(number=_number(customer, quantities, key), customer=customer, lines=lines)


def merged(items: Iterable[Item]) -> dict[str, int]:
    """Quantity by SKU, in the order in which the products were asked for."""
    quantities: dict[str, int] = {}
    for item in items:
        if item.quantity < 1:
            raise OrderError(f"{item.quantity} of {item.sku}: order at least 1 of a product")
        quantities[item.sku] = quantities.get(item.sku, 0) + item.quantity
    return quantities


def _number(customer: str, quantities: Mapping[str, int], key: str) -> str:
    content = json.dumps([customer, sorted(quantities.items()), key], separators=(",", ":"))
    return "o-" + hashlib.sha256(content.encode()).hexdigest()[:16]
