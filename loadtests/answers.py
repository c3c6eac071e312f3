"""What an answer must be: the assertions of the journeys, as functions of the answer alone. Pure.

Each takes an answer apart and gives back what a user goes on with, or says in one sentence what is wrong with it.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
Read = Callable[["Answer"], T]

_EXCERPT = 160  # characters of a body that an error quotes


class WrongAnswer(Exception):  # noqa: N818 - it isn't an error of this program
    """The service answered, but not what a user may expect."""


@dataclass(frozen=True)
class Answer:
    """A whole HTTP answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def expect(self, status: int) -> None:
        """Refuse every other status, quoting the body."""
        if self.status != status:
            raise WrongAnswer(f"{self.status} instead of {status}{self.quote()}")

    def json(self) -> Any:  # noqa: ANN401 - whatever JSON there is
        """The body as JSON."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise WrongAnswer(f"not JSON{self.quote()}") from error

    def quote(self) -> str:
        """The beginning of the body, for an error message."""
        text = " ".join(self.body.decode("utf-8", errors="replace").split())
        return f": {text[:_EXCERPT]}" if text else ""


def status(expected: int) -> Read[Answer]:
    """Take any answer of one status."""

    def read(answer: Answer) -> Answer:
        answer.expect(expected)
        return answer

    return read


@dataclass(frozen=True)
class Money:
    """An amount in minor units: 1999 EUR is 19.99."""

    amount: int
    currency: str


@dataclass(frozen=True)
class Product:
    """What a shop user sees of a product."""

    sku: str
    price: Money


@dataclass(frozen=True)
class Order:
    """What a shop user sees of an order; `total` is what it costs."""

    id: str
    customer: str
    quantities: Mapping[str, int]
    total: Money


def catalog(answer: Answer) -> tuple[Product, ...]:
    """Read the list of products: some, each with SKU and price."""
    answer.expect(200)
    with _shape(answer):
        found = tuple(_product(entry) for entry in _list(answer.json()["products"]))
    if not found:
        raise WrongAnswer("an empty catalog")
    return found


def product(wanted: Product) -> Read[Product]:
    """Read one product, which must be the one of the list, at the same price."""

    def read(answer: Answer) -> Product:
        answer.expect(200)
        with _shape(answer):
            found = _product(answer.json())
        if found != wanted:
            raise WrongAnswer(f"another product than in the list: {found} instead of {wanted}")
        return found

    return read


def placed(customer: str, wanted: Mapping[Product, int]) -> Read[Order]:
    """Read a new order: it holds what was ordered, costs the sum, and says where it is."""
    price = sum(one.price.amount * quantity for one, quantity in wanted.items())

    def read(answer: Answer) -> Order:
        answer.expect(201)
        with _shape(answer):
            order = _order(answer.json())
        location = answer.headers.get("location", "")
        if not location.endswith(f"/{order.id}"):
            raise WrongAnswer(f"Location {location!r} doesn't lead to order {order.id}")
        if order.customer != customer:
            raise WrongAnswer(f"the order of {order.customer} instead of {customer}")
        if order.quantities != {one.sku: quantity for one, quantity in wanted.items()}:
            raise WrongAnswer(f"an order of other things: {dict(order.quantities)}")
        if order.total.amount != price:
            raise WrongAnswer(f"costs {order.total.amount} instead of {price}")
        return order

    return read


def accepted(customer: str, items: list[dict[str, Any]]) -> Read[Order]:
    """Read a new order whose price isn't known beforehand: it holds what was ordered, and isn't refused at once."""

    def read(answer: Answer) -> Order:
        answer.expect(201)
        with _shape(answer):
            order, status = _order(answer.json()), answer.json()["status"]
        if status not in ("pending", "confirmed"):
            raise WrongAnswer(f"{status}{answer.quote()}")
        if order.customer != customer or order.quantities != {item["sku"]: item["quantity"] for item in items}:
            raise WrongAnswer(f"an order of other things, or of somebody else: {order}")
        return order

    return read


def cancelled(wanted: Order) -> Read[Order]:
    """Read an order that was just cancelled (200), will be (202), or is with its carrier already (409)."""

    def read(answer: Answer) -> Order:
        if answer.status == 409:
            return wanted
        if answer.status != 202:
            answer.expect(200)
        with _shape(answer):
            found, status = _order(answer.json()), answer.json()["status"]
        if answer.status == 200 and status != "cancelled":
            raise WrongAnswer(f"{status} instead of cancelled")
        return _same(found, wanted)

    return read


def order(wanted: Order) -> Read[Order]:
    """Read an order again: it is as it was placed."""

    def read(answer: Answer) -> Order:
        answer.expect(200)
        with _shape(answer):
            found = _order(answer.json())
        return _same(found, wanted)

    return read


def _same(found: Order, wanted: Order) -> Order:
    if found != wanted:
        raise WrongAnswer(f"another order than was placed: {found} instead of {wanted}")
    return found


def orders_of(customer: str) -> Read[tuple[Order, ...]]:
    """Read a list of orders: none of them somebody else's. It needn't be complete."""

    def read(answer: Answer) -> tuple[Order, ...]:
        answer.expect(200)
        with _shape(answer):
            found = tuple(_order(entry) for entry in _list(answer.json()["orders"]))
        for one in found:
            if one.customer != customer:
                raise WrongAnswer(f"shows {customer} an order of {one.customer}")
        return found

    return read


@contextmanager
def _shape(answer: Answer) -> Iterator[None]:
    """Turn a body that lacks what we look for into a wrong answer."""
    try:
        yield
    except (KeyError, TypeError, AttributeError) as error:
        raise WrongAnswer(f"not the expected shape ({type(error).__name__}: {error}){answer.quote()}") from error


def _list(entries: Any) -> list[Any]:  # noqa: ANN401 - JSON
    if not isinstance(entries, list):
        raise TypeError(f"{type(entries).__name__} instead of a list")
    return entries


def _product(entry: Any) -> Product:  # noqa: ANN401 - JSON
    return Product(entry["sku"], _money(entry["price"]))


def _order(entry: Any) -> Order:  # noqa: ANN401 - JSON
    quantities = {line["sku"]: line["quantity"] for line in _list(entry["items"])}
    return Order(entry["id"], entry["customer"], quantities, _money(entry["total"]))


def _money(entry: Any) -> Money:  # noqa: ANN401 - JSON
    return Money(entry["amount"], entry["currency"])
