"""The types of the fraud language: a rule that compares a text with an amount is refused when it is loaded, not later.

An evaluation can therefore not fail, and no rule is passed over in silence because of a slip in it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from payments.fraud.syntax import (
    Among,
    Amount,
    Both,
    Compared,
    Denied,
    Either,
    Expression,
    Fact,
    Matched,
    Number,
    Rule,
    RuleError,
    Text,
)


class Kind(StrEnum):
    """What a value is."""

    NUMBER = "a number"
    MONEY = "an amount"
    TEXT = "a text"
    TRUTH = "true or false"


FACTS: Final[Mapping[str, Kind]] = {
    "amount": Kind.MONEY,
    "currency": Kind.TEXT,
    "customer": Kind.TEXT,
    "method": Kind.TEXT,
    "charges_last_hour": Kind.NUMBER,
    "charges_last_day": Kind.NUMBER,
    "first_charge": Kind.TRUTH,
    "hour": Kind.NUMBER,
}
"""What a rule can ask for."""

_ORDERED: Final = frozenset({Kind.NUMBER, Kind.MONEY})


def check(rule: Rule) -> None:
    """Raise ``RuleError`` unless the rule's expression makes sense and is true or false."""
    _expect(rule.when, Kind.TRUTH)


def _expect(part: Expression, wanted: Kind) -> None:
    found = _kind(part)
    if found is not wanted:
        raise RuleError(part.at, f"this is {found}, and {wanted} is needed here")


def _kind(part: Expression) -> Kind:
    match part:
        case Fact():
            return _fact(part)
        case Number():
            return Kind.NUMBER
        case Amount():
            return Kind.MONEY
        case Text():
            return Kind.TEXT
        case _:
            _check_inside(part)
            return Kind.TRUTH


def _fact(fact: Fact) -> Kind:
    if fact.name not in FACTS:
        raise RuleError(fact.at, f"no fact is called {fact.name}; there are {', '.join(sorted(FACTS))}")
    return FACTS[fact.name]


def _check_inside(part: Expression) -> None:
    match part:
        case Compared():
            kind = _kind(part.left)
            _expect(part.right, kind)
            if part.by not in {"==", "!="} and kind not in _ORDERED:
                raise RuleError(part.at, f"{kind} has no order: use == or !=")
        case Matched():
            _expect(part.left, Kind.TEXT)
            _expect(part.right, Kind.TEXT)
        case Among():
            kind = _kind(part.left)
            for option in part.options:
                _expect(option, kind)
        case Denied():
            _expect(part.part, Kind.TRUTH)
        case Both() | Either():
            for one in part.parts:
                _expect(one, Kind.TRUTH)
