"""Numbers that judge a run: how far chance may carry a split, and percentiles at full precision. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

ALPHA = 1e-6  # chance that a true split is called wrong, for a whole run


@dataclass(frozen=True)
class Bound:
    """Counts from `low` to `high`, both included, that chance explains."""

    low: int
    high: int

    def __contains__(self, count: int) -> bool:
        return self.low <= count <= self.high

    def __str__(self) -> str:
        return f"{self.low}..{self.high}"


def binomial_bound(trials: int, probability: float, alpha: float = ALPHA) -> Bound:
    """Counts of successes outside of which a binomial variable falls with chance `alpha` at most.

    Exact tails, half of alpha each: P(X < low) <= alpha/2 and P(X > high) <= alpha/2, and no narrower bound of this
    kind holds. Who looks at several counts of one run divides alpha by their number (Bonferroni).

    >>> binomial_bound(400, 0.1)
    Bound(low=14, high=72)
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"{probability} is not a probability")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha lies between 0 and 1, {alpha} does not")
    low = _lower(trials, probability, alpha / 2)
    return Bound(low, trials - _lower(trials, 1 - probability, alpha / 2))


def _lower(trials: int, probability: float, tail: float) -> int:
    """The largest k with P(X < k) <= tail."""
    if probability in {0.0, 1.0}:
        return round(trials * probability)
    log_p, log_q = math.log(probability), math.log1p(-probability)
    below = 0.0
    for k in range(trials + 1):
        ways = math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
        below += math.exp(ways + k * log_p + (trials - k) * log_q)
        if below > tail:
            return k
    return trials


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that at least `percent` of them don't exceed (nearest rank); nothing is interpolated.

    Raises `ValueError` when there are no values: no data has no percentile.
    """
    if not values:
        raise ValueError("no values, no percentile")
    if not 0 <= percent <= 100:
        raise ValueError(f"{percent} is no percentage")
    rank = math.ceil(len(values) * percent / 100)
    return sorted(values)[max(rank, 1) - 1]
