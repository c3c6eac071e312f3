"""One moment on two clocks: Unix time, which others can compare with, and the monotonic clock, which never jumps."""

import time
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Instant:
    """Seconds. The processes of one machine share both clocks."""

    monotonic: float
    unix: float

    @classmethod
    def now(cls, *, later: float = 0.0) -> Self:
        """The present, or `later` seconds from it. The clocks are read within a microsecond or so of each other."""
        return min((cls._look(later) for _ in range(3)), key=lambda look: look[0])[1]

    @classmethod
    def read(cls, line: str) -> Self:
        """Take it from a line of text; `ValueError` if it isn't there."""
        monotonic, unix = line.split()
        return cls(float(monotonic), float(unix))

    def __str__(self) -> str:
        return f"{self.monotonic!r} {self.unix!r}"

    @classmethod
    def _look(cls, later: float) -> tuple[float, Self]:
        before, unix, after = time.monotonic(), time.time(), time.monotonic()
        return after - before, cls(before + later, unix + later)
