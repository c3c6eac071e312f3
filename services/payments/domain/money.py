"""Money as a value: whole minor units of one currency."""

import re
from dataclasses import dataclass
from typing import Final, Self

from payments.domain.errors import PaymentError

LARGEST: Final = 10**12
"""Most minor units of one amount, so that sums of millions of them stay within 64 bits."""

_CURRENCY: Final = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount above zero, in minor units of an ISO 4217 currency: ``Money(1999, "EUR")`` is 19.99 EUR."""

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount) is not int or not 0 < self.amount <= LARGEST:
            raise PaymentError(f"{self.amount!r} is not a whole number of minor units from 1 to {LARGEST}")
        if not _CURRENCY.fullmatch(self.currency):
            raise PaymentError(f"{self.currency!r} is not an ISO 4217 code like EUR")

    def as_dict(self) -> dict[str, object]:
        """As it stands in events and in JSON."""
        return {"amount": self.amount, "currency": self.currency}

    @classmethod
    def of(cls, content: dict[str, object]) -> Self:
        """Read it from where ``as_dict`` has written it."""
        amount, currency = content["amount"], content["currency"]
        if not isinstance(amount, int) or not isinstance(currency, str):
            raise PaymentError(f"{content!r} is not money")
        return cls(amount, currency)
