"""An address as a value: two of them are the same one when all their lines are."""

import re
from dataclasses import dataclass, fields
from typing import Final, Self

from orders.domain.errors import InvalidAddressError

LONGEST: Final = 100
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class Address:
    """Where an order goes. Space around and within a line doesn't matter; the country is an ISO 3166 code like DE."""

    name: str
    street: str
    postcode: str
    city: str
    country: str

    def __post_init__(self) -> None:
        for field in fields(self):
            text = " ".join(str(getattr(self, field.name)).split())
            if not 1 <= len(text) <= LONGEST:
                raise InvalidAddressError(f"the {field.name} of an address has 1 to {LONGEST} characters")
            if not text.isprintable():
                raise InvalidAddressError(f"the {field.name} of an address has characters that can't be printed")
            object.__setattr__(self, field.name, text)  # the one moment at which a frozen value may be put in order
        if not _COUNTRY.fullmatch(self.country):
            raise InvalidAddressError(f"{self.country!r} is not an ISO 3166 country code like DE")

    @classmethod
    def at_the_counter(cls, customer: str) -> Self:
        """Where an order without an address is collected: the shop's own counter."""
        return cls(name=customer, street="Am Sandtorkai 1", postcode="20457", city="Hamburg", country="DE")
