"""What carriers charge, and in which order they are asked: the cheapest first, the faster one of equals.

The price list is part of the contract with a carrier, so it is known here and costs no call.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

CURRENCY: Final = "EUR"
HOME: Final = "DE"


@dataclass(frozen=True, slots=True)
class Tariff:
    """A carrier's price list, in minor units of ``CURRENCY``. ``days`` is how long it takes at home."""

    carrier: str
    base: int
    per_unit: int
    abroad: int
    days: int
    countries: frozenset[str] | None = None
    """Where it goes; None is everywhere."""

    def serves(self, country: str) -> bool:
        """Whether it goes there."""
        return self.countries is None or country in self.countries

    def price(self, *, country: str, units: int) -> int:
        """What it charges for a parcel."""
        return self.base + self.per_unit * units + (0 if country == HOME else self.abroad)


TARIFFS: Final = (
    Tariff("coaster", base=390, per_unit=15, abroad=600, days=4),
    Tariff("dray", base=490, per_unit=25, abroad=450, days=2, countries=frozenset({"DE", "DK", "NL", "PL", "SE"})),
    Tariff("albatross", base=990, per_unit=60, abroad=900, days=1),
)


def ranked(country: str, units: int, tariffs: Iterable[Tariff] = TARIFFS) -> list[Tariff]:
    """Who can carry it, in the order in which they are asked."""
    able = [tariff for tariff in tariffs if tariff.serves(country)]
    return sorted(able, key=lambda tariff: (tariff.price(country=country, units=units), tariff.days, tariff.carrier))
