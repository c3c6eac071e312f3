"""Discounts, decided by specifications that are composed from data.

A specification answers one question about a candidate, yes or no. Small ones are combined by ``&``, ``|`` and ``~``,
and a rule of the shop is such a combination, read from JSON, so that a new rule is no new code::

    {"any": [{"tier": "gold"}, {"all": [{"price": {"atLeast": {"amount": 10000, "currency": "EUR"}}},
                                        {"pieces": {"atLeast": 10}}]}]}

What can't be read is refused with the place where it stands, when the service starts and not at the first order.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from orders.domain.errors import InvalidMoneyError, InvalidRuleError
from orders.domain.money import Money
from orders.domain.order import Discount, Order


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is asked about: an order, and the tier of who places it."""

    order: Order
    tier: str


class Specification(ABC):
    """A question with the answer yes or no."""

    @abstractmethod
    def holds(self, candidate: Candidate) -> bool:
        """Whether it is so."""

    def __and__(self, other: "Specification") -> "Specification":
        return All((self, other))

    def __or__(self, other: "Specification") -> "Specification":
        return Any_((self, other))

    def __invert__(self) -> "Specification":
        return Not(self)


@dataclass(frozen=True, slots=True)
class All(Specification):
    """All of them hold."""

    parts: tuple[Specification, ...]

    def holds(self, candidate: Candidate) -> bool:
        """Whether there is none that doesn't."""
        return all(part.holds(candidate) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Any_(Specification):  # noqa: N801 - `Any` is a type
    """One of them holds."""

    parts: tuple[Specification, ...]

    def holds(self, candidate: Candidate) -> bool:
        """Whether there is one that does."""
        return any(part.holds(candidate) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not(Specification):
    """It doesn't hold."""

    part: Specification

    def holds(self, candidate: Candidate) -> bool:
        """Whether it doesn't."""
        return not self.part.holds(candidate)


@dataclass(frozen=True, slots=True)
class Tier(Specification):
    """The customer is of a tier."""

    tier: str

    def holds(self, candidate: Candidate) -> bool:
        """Whether this one is."""
        return candidate.tier == self.tier


@dataclass(frozen=True, slots=True)
class PriceAtLeast(Specification):
    """The lines cost so much, in this currency, or more."""

    least: Money

    def holds(self, candidate: Candidate) -> bool:
        """Whether they do; never in another currency."""
        price = candidate.order.price
        return price.currency == self.least.currency and price >= self.least


@dataclass(frozen=True, slots=True)
class PiecesAtLeast(Specification):
    """The order is about so many things or more."""

    least: int

    def holds(self, candidate: Candidate) -> bool:
        """Whether it is."""
        return candidate.order.pieces >= self.least


@dataclass(frozen=True, slots=True)
class Rule:
    """So many percent off for orders of which a specification holds."""

    name: str
    percent: int
    when: Specification

    def __post_init__(self) -> None:
        if not self.name:
            raise InvalidRuleError("a discount rule has a name")
        if type(self.percent) is not int or not 1 <= self.percent <= 100:
            raise InvalidRuleError(f"rule {self.name}: percent is a whole number from 1 to 100, not {self.percent!r}")


class Discounts:
    """The rules of the shop. The customer gets the best one that holds; they don't add up."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules = tuple(rules)

    @classmethod
    def parse(cls, data: object) -> Self:
        """Read rules from JSON data. Raises ``InvalidRuleError`` with the place and the remedy."""
        if not isinstance(data, list):
            raise InvalidRuleError("the discount rules are a list")
        return cls(_rule(entry, f"rule {number}") for number, entry in enumerate(data, 1))

    def best(self, order: Order, tier: str) -> Discount | None:
        """The largest discount that the order gets, or None."""
        candidate = Candidate(order, tier)
        holding = (rule for rule in self._rules if rule.when.holds(candidate))
        best = max(holding, key=lambda rule: rule.percent, default=None)
        return Discount(best.name, order.price.percent(best.percent)) if best else None


def _rule(entry: object, where: str) -> Rule:
    if not isinstance(entry, dict) or entry.keys() != {"name", "percent", "when"}:
        raise InvalidRuleError(f"{where}: give name, percent and when")
    return Rule(str(entry["name"]), entry["percent"], specification(entry["when"], f"{where}.when"))


def specification(data: object, where: str) -> Specification:
    """Read a specification. ``where`` names the place in error messages."""
    if not isinstance(data, dict) or len(data) != 1:
        raise InvalidRuleError(f"{where}: give one of {', '.join(_KINDS)}")
    ((kind, value),) = data.items()
    where = f"{where}.{kind}"
    match kind, value:
        case "all" | "any", [_, *_]:
            parts = tuple(specification(part, f"{where}[{index}]") for index, part in enumerate(value))
            return All(parts) if kind == "all" else Any_(parts)
        case "not", _:
            return Not(specification(value, where))
        case "tier", str():
            return Tier(value)
        case "pieces", {"atLeast": int(least)} if len(value) == 1:
            return PiecesAtLeast(least)
        case "price", {"atLeast": {"amount": amount, "currency": currency}} if len(value) == 1:
            return PriceAtLeast(_money(amount, currency, where))
    raise InvalidRuleError(f"{where}: {_KINDS.get(kind, 'give one of ' + ', '.join(_KINDS))}")


_KINDS: Final[Mapping[str, str]] = {
    "all": "give a list of one or more conditions",
    "any": "give a list of one or more conditions",
    "not": "give a condition",
    "tier": "give the name of a tier",
    "pieces": 'give {"atLeast": COUNT}',
    "price": 'give {"atLeast": {"amount": MINOR UNITS, "currency": CODE}}',
}


def _money(amount: Any, currency: Any, where: str) -> Money:  # noqa: ANN401 - JSON is anything
    try:
        return Money(amount, str(currency))
    except InvalidMoneyError as error:
        raise InvalidRuleError(f"{where}: {error}") from error
