"""What is tested: margin, limit, and the hypotheses and alternatives that the bets are spread over.

Everything here is fixed before the first request is seen; the promises hold for any choice, the speed depends on it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seatrial.stats.bets import BETTER, TINY, WORSE, Array, Comparisons, Gap

CASH = 0.0
"""The gap of the part that isn't bet: what is left when all bets are lost, for bets made later."""


@dataclass(frozen=True)
class Tuning:
    """What power depends on and validity doesn't. Lengths are in seconds, growth is in natural logarithms.

    worse: (points between margin and alternative, part of the stake); better: (fraction of the way from the margin to
    equality, part). `leak` is the part of the whole that is spread anew over the bets before each block, so that a
    revision that turns bad late is still found. `cap` and `beyond` temper a block. `half_life` and `prior` (bad,
    requests) shape the forecast of stable's rate, `recent` and `record` how long failures of stable silence
    the limit. `patience` is how long one arm's requests wait for the other's.
    """

    worse: tuple[tuple[float, float], ...] = (
        (CASH, 0.08), (0.5, 0.08), (1.5, 0.12), (4, 0.14), (12, 0.2), (30, 0.24), (60, 0.14),
    )  # fmt: skip
    better: tuple[tuple[float, float], ...] = ((CASH, 0.05), (0.5, 0.2), (1, 0.75))
    worse_leak: float = 0.004
    better_leak: float = 0.001
    cap: float = 3.0
    beyond: float = 0.5
    half_life: float = 20.0
    prior: tuple[float, float] = (0.1, 50.0)
    recent: float = 10.0
    record: float = 60.0
    patience: float = 5.0


@dataclass(frozen=True)
class Plan:
    """One objective's test. `delta` and `limit` are fractions of 1, `weights` percent of traffic.

    `limit` is the largest rate of the canary by itself, None for none. `weights` are those that it may be asked about
    (`allows`). A `terse` plan bounds the difference only where a decision needs it.
    """

    delta: float = 0.01
    limit: float | None = 0.01
    weights: tuple[float, ...] = (50, 100)
    terse: bool = False
    tuning: Tuning = Tuning()

    @cached_property
    def lower(self) -> Array:
        """Hypotheses 'canary minus stable is at most this', ascending. The margin is one of them."""
        return np.array([self.delta] if self.terse else self._grid(()))

    @cached_property
    def upper(self) -> Array:
        """Hypotheses 'canary minus stable is at least this', ascending, one for each weight."""
        needed = [d for w in self.weights if (d := 100 * self.delta / w) < 1]
        return np.array(sorted(set(needed)) if self.terse else self._grid(needed))

    def _grid(self, needed: tuple[float, ...] | list[float]) -> list[float]:
        steps = (self.delta * 1.35**k for k in range(-4, 40))
        below = (-self.delta * k for k in (30, 8, 2, 0.5))
        return sorted({d for d in (*steps, *below, 0.0, *needed) if abs(d) < 0.95})

    @cached_property
    def margin(self) -> int:
        """Group of the bets that canary is worse than stable by more than the margin."""
        return int(np.searchsorted(self.lower, self.delta))

    @cached_property
    def comparisons(self) -> Comparisons:
        """All bets on the difference: those of `lower`, then those of `upper`."""
        t = self.tuning
        return Comparisons.of(
            [(float(d), WORSE, t.worse_leak, self._gaps(float(d)) + self._beyond(float(d))) for d in self.lower]
            + [(float(d), BETTER, t.better_leak, self._gaps(-float(d))) for d in self.upper]
        )

    def _gaps(self, against: float) -> list[Gap]:
        """Alternatives to a hypothesis: equality where the hypothesis excludes it, else larger and larger gaps."""
        if against < 0:
            return [Gap(-against * fraction, part) for fraction, part in self.tuning.better]
        return [Gap(points / 100, part) for points, part in self.tuning.worse]

    def _beyond(self, against: float) -> list[Gap]:
        """What a bound below equality needs beside equality, so that one who is much worse passes it at once."""
        return self._gaps(0.0) if against < 0 else []

    @cached_property
    def least(self) -> float:
        """The limit that is tested. That stable keeps a smaller one would take too long to see."""
        return max(self.limit or 0.0, 0.001)

    @cached_property
    def excesses(self) -> Array:
        """Rates that the canary is bet to have, against the limit."""
        return np.array([min(self.least + points / 100, 1 - TINY) for points, _ in self.tuning.worse])

    @cached_property
    def excess_prior(self) -> Array:
        """The part of the stake on each of `excesses`."""
        parts = np.array([part for _, part in self.tuning.worse])
        return np.asarray(parts / parts.sum())
