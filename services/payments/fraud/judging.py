"""What the rules say about a charge. Each part of a rule is looked at once at most, and nothing but facts is read.

Amounts of different currencies have no order: such a comparison holds for ``!=`` alone. A rule for another currency is
another rule.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from payments.domain.money import Money
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
    Rules,
    Text,
)

_ORDERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MATCHES: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "contains": operator.contains,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules can ask for; the names are those of ``checking.FACTS``. ``hour`` is of the day, in UTC."""

    money: Money
    customer: str
    method: str
    charges_last_hour: int
    charges_last_day: int
    first_charge: bool
    hour: int

    def named(self) -> dict[str, object]:
        """By name."""
        return {
            "amount": (self.money.currency, self.money.amount),
            "currency": self.money.currency,
            "customer": self.customer,
            "method": self.method,
            "charges_last_hour": self.charges_last_hour,
            "charges_last_day": self.charges_last_day,
            "first_charge": self.first_charge,
            "hour": self.hour,
        }


def refusal(rules: Rules, facts: Facts) -> str | None:
    """Why a charge is refused, or None: by the first rule that holds, if it is one that denies."""
    known = facts.named()
    for rule in rules:
        if _value(rule.when, known):
            return None if rule.verdict == "allow" else rule.because or f"refused by rule {rule.name}"
    return None


def _value(part: Expression, facts: Mapping[str, object]) -> object:  # noqa: PLR0911 - one answer for each kind of node
    match part:
        case Fact():
            return facts[part.name]
        case Amount():
            return (part.currency, part.value)
        case Number() | Text():
            return part.value
        case Compared():
            return _compared(part.by, _value(part.left, facts), _value(part.right, facts))
        case Matched():
            return _MATCHES[part.by](str(_value(part.left, facts)), str(_value(part.right, facts)))
        case Among():
            found = any(_value(part.left, facts) == _value(option, facts) for option in part.options)
            return found is not part.absent
        case Denied():
            return not _value(part.part, facts)
        case Both():
            return all(_value(one, facts) for one in part.parts)
        case Either():
            return any(_value(one, facts) for one in part.parts)


def _compared(by: str, left: object, right: object) -> bool:
    if isinstance(left, tuple) and isinstance(right, tuple) and left[0] != right[0]:
        return by == "!="
    return _ORDERS[by](left, right)
