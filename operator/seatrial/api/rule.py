"""What one rule of the API is: a thing that must hold beyond a type, as CEL and as Python, with its remedy."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from seatrial.api.base import Model


@dataclass(frozen=True)
class Rule:
    """One thing that must hold for each value of a model.

    `cel` and `holds` say the same. Each `{}` in `message` is an offending value or what is about it: `shown_cel` (with
    commas between) and `shown` (a tuple where there are several) make them. `field` is the path of the offending field
    below the model, in the API's spelling.
    """

    model: type[Model]
    field: str
    cel: str
    holds: Callable[[Any], bool]
    message: str
    remedy: str
    shown_cel: str = ""
    shown: Callable[[Any], object] = lambda _: None

    def told(self, seen: object) -> str:
        """The message with what was seen."""
        values = seen if isinstance(seen, tuple) else (seen,) * self.message.count("{}")
        return self.message.format(*values)

    def text(self, value: str) -> str:
        """All that is said, `value` standing for each thing seen."""
        return f"{self.told(value)}; {self.remedy}"


def given(*values: object) -> int:
    """How many of them are there."""
    return sum(v is not None for v in values)
