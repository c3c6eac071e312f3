"""Money as a value: whole minor units of one currency."""

import re
from dataclasses import dataclass
from typing import Self

from orders.domain.errors import InvalidMoneyError, MixedCurrenciesError

_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount that isn't negative, in minor units of an ISO 4217 currency: ``Money(1999, "EUR")`` is 19.99 EUR.

    >>> Money(1999, "EUR") * 2 + Money(1, "EUR")
    Money(amount=3999, currency='EUR')
    """

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount) is not int or self.amount < 0:
            raise InvalidMoneyError(f"{self.amount!r} is not a whole number of minor units, zero or more")
        if not _CURRENCY.fullmatch(self.currency):
            raise InvalidMoneyError(f"{self.currency!r} is not an ISO 4217 code like EUR")

    def __add__(self, other: Self) -> Self:
        return type(self)(self.amount + self._same(other).amount, self.currency)

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.amount - self._same(other).amount, self.currency)

    def __mul__(self, count: int) -> Self:
        return type(self)(self.amount * count, self.currency)

    def __ge__(self, other: Self) -> bool:
        return self.amount >= self._same(other).amount

    def percent(self, percent: int) -> Self:
        """That many percent of it, rounded down to a whole minor unit.

        >>> Money(1999, "EUR").percent(10)
        Money(amount=199, currency='EUR')
        """
        return type(self)(self.amount * percent // 100, self.currency)

    def _same(self, other: Self) -> Self:
        if self.currency != other.currency:
            raise MixedCurrenciesError(self.currency, other.currency)
        return other
