"""The tree of the fraud rules. Where a part stood in the text doesn't count when trees are compared."""

from dataclasses import dataclass, field
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column in the text, counted from 1."""

    line: int
    column: int


NOWHERE: Final = Place(0, 0)


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known about a charge, by name."""

    name: str
    at: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Number:
    """A count."""

    value: int
    at: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Amount:
    """Money, in minor units."""

    value: int
    currency: str
    at: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    """Characters."""

    value: str
    at: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Compared:
    """Two values of one type, in an order."""

    left: "Expression"
    by: str
    right: "Expression"
    at: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Matched:
    """One text in another."""

    left: "Expression"
    by: str
    right: "Expression"
    at: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Among:
    """A value that is, or with ``absent`` isn't, one of several."""

    left: "Expression"
    options: "tuple[Expression, ...]"
    absent: bool = False
    at: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Denied:
    """Holds where its part doesn't."""

    part: "Expression"
    at: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Both:
    """Holds where all of its parts do."""

    parts: "tuple[Expression, ...]"
    at: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Either:
    """Holds where one of its parts does."""

    parts: "tuple[Expression, ...]"
    at: Place = field(default=NOWHERE, compare=False)


Expression = Fact | Number | Amount | Text | Compared | Matched | Among | Denied | Both | Either


@dataclass(frozen=True, slots=True)
class Rule:
    """What to do with a charge when an expression holds for it."""

    name: str
    verdict: Literal["allow", "deny"]
    when: Expression
    because: str | None = None
    at: Place = field(default=NOWHERE, compare=False)


Rules = tuple[Rule, ...]


class RuleError(ValueError):
    """Text that isn't a set of rules. The message is the remedy."""

    def __init__(self, at: Place, message: str) -> None:
        super().__init__(f"line {at.line}, column {at.column}: {message}")
        self.at = at
        self.message = message


def children(part: Expression) -> tuple[Expression, ...]:
    """The expressions of which one is made."""
    match part:
        case Both() | Either():
            return part.parts
        case Denied():
            return (part.part,)
        case Compared() | Matched():
            return (part.left, part.right)
        case Among():
            return (part.left, *part.options)
        case _:
            return ()


def depth(part: Expression) -> int:
    """How many levels an expression has."""
    return 1 + max(map(depth, children(part)), default=0)
