"""How the bank behaves: a plan in words, the same each time for the same seed, reference and count of asking.

``ok``                          each time
``fail fail ok``                by how often a reference was asked about; the last goes on for ever
``ok=80 slow=10 lost=5 twice=5``  a share each, drawn from the seed
"""

import random
import re
from collections import Counter
from enum import StrEnum
from typing import Self


class Manner(StrEnum):
    """One way to treat a request."""

    OK = "ok"
    SLOW = "slow"
    """Does it, and answers late."""
    FAIL = "fail"
    """Does nothing, and says so."""
    LOST = "lost"
    """Does it, and never answers."""
    TWICE = "twice"
    """Does it, and answers twice."""
    GARBLED = "garbled"
    """Does it, and answers nonsense."""


_SHARE = re.compile(r"([a-z]+)=([0-9]{1,3})")


class Behaviour:
    """A plan, and what was asked so far."""

    def __init__(self, text: str, script: list[Manner], shares: dict[Manner, int], seed: int) -> None:
        self.text = text
        self._script = script
        self._shares = shares
        self.seed = seed
        self._asked: Counter[str] = Counter()

    @classmethod
    def parse(cls, text: str, *, seed: int) -> Self:
        """Read a plan. Raises ``ValueError`` with the remedy."""
        words = text.split()
        shares = [share for word in words if (share := _SHARE.fullmatch(word))]
        try:
            script = [] if shares else [Manner(word) for word in words]
            parts = {Manner(share[1]): int(share[2]) for share in shares}
        except ValueError as error:
            raise ValueError(f"{error}; manners are {', '.join(Manner)}") from error
        if not words or len(shares) not in (0, len(words)) or (shares and sum(parts.values()) != 100):
            raise ValueError(f"{text!r} is no plan: write it like ok, or fail fail ok, or ok=90 slow=10, to 100 in all")
        return cls(text, script, parts, seed)

    def next(self, reference: str) -> Manner:
        """How to treat the next request about a reference."""
        if len(self._script) == 1:
            return self._script[0]
        count = self._asked[reference]
        self._asked[reference] += 1
        if self._script:
            return self._script[min(count, len(self._script) - 1)]
        draw = random.Random(f"{self.seed}/{reference}/{count}")  # noqa: S311 - it shall be foreseeable
        return draw.choices(list(self._shares), list(self._shares.values()))[0]
