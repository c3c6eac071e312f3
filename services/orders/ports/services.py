"""Whom ordering asks. Each call may be repeated: who is asked does it once for an order, and answers the same again."""

from collections.abc import Collection, Coroutine, Mapping
from typing import Any, Protocol, TypeVar

from orders.domain.money import Money
from orders.domain.order import Order

T = TypeVar("T")
U = TypeVar("U")


class RefusedError(Exception):
    """The other side says no, and will say so again. The message tells why, for the customer."""


class NoAnswerError(Exception):
    """There was no answer, or none that tells whether it was done."""


class Prices(Protocol):
    """What products cost now."""

    async def of(self, skus: Collection[str]) -> Mapping[str, Money]:
        """Prices by SKU. A product that doesn't exist is left out."""


class Tiers(Protocol):
    """How well the shop knows a customer."""

    async def of(self, customer: str) -> str:
        """The tier of a customer, like gold."""


class Stock(Protocol):
    """The warehouse. Each call raises ``NoAnswerError``; the first and the last may raise ``RefusedError``."""

    async def reserve(self, order: Order) -> None:
        """Set aside what the order is about."""

    async def release(self, order: Order) -> None:
        """Put it back. Right, too, when nothing was set aside: then nothing will be, by requests still on their way."""

    async def commit(self, order: Order) -> None:
        """Keep it for good, whatever time the reservation has left."""


class Payments(Protocol):
    """The till. Each call raises ``NoAnswerError``."""

    async def charge(self, order: Order) -> bool:
        """Take the money: True when it is taken, False when it will be, later. Raises ``RefusedError``."""

    async def refund(self, order: Order) -> bool:
        """Give it back: True when that is done, False when it will be. Right, too, when nothing was taken."""


class Parcels(Protocol):
    """The dispatch. Raises ``NoAnswerError``."""

    async def withdraw(self, order: Order) -> bool:
        """See to it that no parcel leaves: False when a carrier has it. Right, too, when there is none yet."""


class Errands(Protocol):
    """Work that goes on when the request is over."""

    async def run(self, work: Coroutine[Any, Any, T], *, patience: float) -> T | None:
        """Begin it, and give its result, or None when it takes longer than ``patience`` seconds. It goes on anyway."""

    async def both(
        self, one: Coroutine[Any, Any, T], other: Coroutine[Any, Any, U]
    ) -> tuple[T | BaseException, U | BaseException]:
        """Do both at once, and give what each gave or raised."""

    def start(self, work: Coroutine[Any, Any, object], *, correlation: str) -> None:
        """Begin it; calls that it makes carry the correlation."""
