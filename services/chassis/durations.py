"""Durations as people write them, in settings and in fault headers: ``250ms`` and ``1m30s``, as in a MeshService."""

import re
from typing import Annotated

from pydantic import BeforeValidator

_DURATION = re.compile(r"([0-9]+(ms|s|m|h))+")
_PART = re.compile(r"([0-9]+)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: object) -> float:
    """Length in seconds of a duration string.

    >>> seconds("1m30s")
    90.0

    Raises ``ValueError`` for anything else, a bare number included: it has no unit.
    """
    if not isinstance(text, str) or not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration: write it like 250ms, 5s or 1m30s")
    return sum(int(count) * _SECONDS[unit] for count, unit in _PART.findall(text))


Duration = Annotated[float, BeforeValidator(seconds)]
"""A setting in seconds, read from a duration string."""
