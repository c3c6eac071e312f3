"""The order: an aggregate that can't exist in a state that breaks its rules.

Its rules: at least one line and at most 50, each product in one line only, quantities of 1 to 999, one currency, a
discount no larger than what it is taken from. It is placed once, by ``Order.place``, and nothing leads back there. It
refers to its customer and products by id, and keeps the prices of the moment in which it was placed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import reduce
from operator import add
from typing import Final, Self

from orders.domain.address import Address
from orders.domain.errors import OrderError, UnknownProductsError, WrongStateError
from orders.domain.money import Money

MOST_LINES: Final = 50
LARGEST_QUANTITY: Final = 999
LONGEST_REASON: Final = 300


class Status(StrEnum):
    """Where an order is in its life."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class Flow(StrEnum):
    """How an order is brought to its end: by a coordinator, or by services that react to one another."""

    ORCHESTRATED = "orchestrated"
    CHOREOGRAPHED = "choreographed"


class Party(StrEnum):
    """Whose wish it was that an order is cancelled."""

    CUSTOMER = "customer"
    SHOP = "shop"


class Event(StrEnum):
    """What others may hear about an order. Its content follows from the order itself."""

    PLACED = "OrderPlaced"
    SHIPMENT_REQUESTED = "ShipmentRequested"
    CONFIRMED = "OrderConfirmed"
    SHIPPED = "OrderShipped"
    DELIVERED = "OrderDelivered"
    CANCELLED = "OrderCancelled"


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
class Discount:
    """What is taken off the price, and by which rule."""

    rule: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Order:
    """An order. Two orders are the same one when their ids are.

    ``version`` counts how often it was stored; ``news`` is what has happened to it since it was read.
    """

    id: str
    customer: str
    lines: tuple[Line, ...]
    address: Address
    flow: Flow
    placed_at: datetime
    discount: Discount | None = None
    status: Status = Status.PENDING
    reason: str | None = None
    cancelled_by: Party | None = None
    version: int = 0
    news: tuple[Event, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if not self.id or not self.customer:
            raise OrderError("an order has an id and a customer")
        if not 1 <= len(self.lines) <= MOST_LINES:
            raise OrderError(f"{len(self.lines)} products: an order has 1 to {MOST_LINES}")
        if len({line.sku for line in self.lines}) != len(self.lines):
            raise OrderError("a product stands in one line of an order only")
        if (self.status is Status.CANCELLED) != (self.reason is not None and self.cancelled_by is not None):
            raise OrderError("a cancelled order has a reason and whose wish it was, and no other order has")
        _ = self.total  # refuses mixed currencies, and a discount that is larger than the price

    @property
    def price(self) -> Money:
        """What its lines cost together."""
        return reduce(add, (line.total for line in self.lines))

    @property
    def total(self) -> Money:
        """What the customer pays: the price without the discount."""
        return self.price - self.discount.amount if self.discount else self.price

    @property
    def pieces(self) -> int:
        """How many things it is about."""
        return sum(line.quantity for line in self.lines)

    @classmethod
    def place(  # noqa: PLR0913 - what an order consists of
        cls,
        *,
        id: str,  # noqa: A002 - the name that everybody else has for it
        customer: str,
        items: Iterable[Item],
        prices: Mapping[str, Money],
        address: Address | None,
        flow: Flow,
        now: datetime,
    ) -> Self:
        """Place an order. The same product asked for twice becomes one line; without an address it is collected.

        Raises ``OrderError`` for what breaks a rule.
        """
        quantities = merged(items)
        if unknown := quantities.keys() - prices.keys():
            raise UnknownProductsError(unknown)
        return cls(
            id=id,
            customer=customer,
            lines=tuple(Line(sku, quantity, prices[sku]) for sku, quantity in quantities.items()),
            address=address or Address.at_the_counter(customer),
            flow=flow,
            placed_at=now,
            news=(Event.PLACED,),
        )

    def granted(self, discount: Discount | None) -> Self:
        """The order with a discount. Only one that is being placed can get it: what was announced stays."""
        if self.version or self.status is not Status.PENDING:
            raise WrongStateError("a discount is granted when an order is placed, and never later")
        return replace(self, discount=discount)

    def confirm(self) -> Self:
        """Stock, payment and shipment are there."""
        return self._become(Status.CONFIRMED, Event.CONFIRMED, after=Status.PENDING)

    def ship(self) -> Self:
        """A carrier has it."""
        return self._become(Status.SHIPPED, Event.SHIPPED, after=Status.CONFIRMED)

    def deliver(self) -> Self:
        """The customer has it."""
        return self._become(Status.DELIVERED, Event.DELIVERED, after=Status.SHIPPED)

    def cancel(self, reason: str, by: Party) -> Self:
        """Give it up, with a reason, as long as no carrier has it."""
        if not reason.strip():
            raise OrderError("say why the order is cancelled")
        self._may_become(Status.CANCELLED, after=(Status.PENDING, Status.CONFIRMED))
        return replace(
            self,
            status=Status.CANCELLED,
            reason=reason.strip()[:LONGEST_REASON],
            cancelled_by=by,
            news=(*self.news, Event.CANCELLED),
        )

    def _become(self, status: Status, event: Event, *, after: Status) -> Self:
        self._may_become(status, after=(after,))
        return replace(self, status=status, news=(*self.news, event))

    def _may_become(self, status: Status, *, after: tuple[Status, ...]) -> None:
        if self.status not in after:
            possible = " or ".join(after)
            raise WrongStateError(f"order {self.id} is {self.status}: only one that is {possible} can become {status}")


def merged(items: Iterable[Item]) -> dict[str, int]:
    """Quantity by SKU, in the order in which the products were asked for."""
    quantities: dict[str, int] = {}
    for item in items:
        if item.quantity < 1:
            raise OrderError(f"{item.quantity} of {item.sku}: order at least 1 of a product")
        quantities[item.sku] = quantities.get(item.sku, 0) + item.quantity
    return quantities
