"""From rules to their text, in one form: what is read from it again is the same tree."""

from typing import Final

from payments.domain.decimals import write as write_decimal
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
    Rules,
    Text,
)

_TIGHTNESS: Final[dict[type, int]] = {Either: 1, Both: 2, Denied: 3, Compared: 4, Matched: 4, Among: 4}
_ATOM: Final = 5


def write(rules: Rules) -> str:
    """The text of rules, one a line."""
    return "".join(_rule(rule) + "\n" for rule in rules)


def _rule(rule: Rule) -> str:
    because = "" if rule.because is None else f' because "{rule.because}"'
    return f"rule {rule.name}: {rule.verdict} when {_expression(rule.when)}{because}"


def _expression(part: Expression) -> str:  # noqa: PLR0911 - one answer for each kind of node
    match part:
        case Fact():
            return part.name
        case Number():
            return str(part.value)
        case Amount():
            return f"{write_decimal(part.value, part.currency)} {part.currency}"
        case Text():
            return f'"{part.value}"'
        case Compared() | Matched():
            return f"{_inside(part.left, _ATOM)} {part.by} {_inside(part.right, _ATOM)}"
        case Among():
            options = ", ".join(_inside(option, _ATOM) for option in part.options)
            return f"{_inside(part.left, _ATOM)} {'not in' if part.absent else 'in'} [{options}]"
        case Denied():
            return f"not {_inside(part.part, 3)}"
        case Both():
            return " and ".join(_inside(one, 3) for one in part.parts)
        case Either():
            return " or ".join(_inside(one, 2) for one in part.parts)


def _inside(part: Expression, tightness: int) -> str:
    """A part of another, in parentheses where it binds looser than what is around it allows."""
    text = _expression(part)
    return text if _TIGHTNESS.get(type(part), _ATOM) >= tightness else f"({text})"
