"""Bets on one block: the factor by which each bet multiplies its stake once the block is counted.

A bet is fixed by the hypothesis that it is made against and by the alternative that it is made for. All bets of a plan
lie side by side on the last axis of every array here; groups of neighbours bet against the same hypothesis. Leading
axes are a batch: the operator has none, the simulation thousands of rollouts, and both run this code.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Truth = NDArray[np.bool_]

WORSE, BETTER = 1.0, -1.0
"""Direction of a bet: that canary minus stable is above the hypothesis, or below it."""

TINY = 1e-6
"""Rates are kept this far from 0 and 1, where logarithms end."""

SAFE = 0.98
"""Share of the largest stake that no outcome could bring below zero."""


@dataclass(frozen=True)
class Gap:
    """How far an alternative lies from the hypothesis, as a fraction of 1, and the part of the stake put on it."""

    size: float
    part: float


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Bets against hypotheses about canary minus stable; the arrays have one entry a bet, `starts` one a group."""

    hypothesis: Array
    direction: Array
    gap: Array
    prior: Array
    leak: Array
    group: NDArray[np.intp]
    starts: NDArray[np.intp]

    @classmethod
    def of(cls, groups: Sequence[tuple[float, float, float, Sequence[Gap]]]) -> "Comparisons":
        """Lay out groups of (hypothesis, direction, leak, gaps)."""
        rows = [
            (hypothesis, direction, gap.size, gap.part / sum(g.part for g in gaps), leak, number)
            for number, (hypothesis, direction, leak, gaps) in enumerate(groups)
            for gap in gaps
        ]
        table = np.array(rows, dtype=np.float64)
        group = table[:, 5].astype(np.intp)
        starts = np.searchsorted(group, np.arange(len(groups))).astype(np.intp)
        return cls(table[:, 0], table[:, 1], table[:, 2], table[:, 3], table[:, 4], group, starts)


def project(hypothesis: Array, stable: Array, canary: Array, of_stable: Array, of_canary: Array) -> Array:
    """Rate x of stable such that (x, x + hypothesis) is nearest to the pair of rates (stable, canary).

    Nearest means least `of_stable * KL(stable, x) + of_canary * KL(canary, x + hypothesis)`, counts as weights: the
    reverse information projection. Were the factors 1 - x constant, the root of the derivative would be that of a
    quadratic equation, so a few rounds that freeze them suffice. A rough root costs power, never validity.
    """
    low = np.maximum(TINY, TINY - hypothesis)
    high = np.minimum(1 - TINY, 1 - TINY - hypothesis)
    upwards = hypothesis >= 0
    width = np.abs(hypothesis)
    near = np.where(upwards, stable, canary)
    far = np.where(upwards, canary, stable)
    x = np.clip(stable, low, high)
    for _ in range(2):
        p, q = of_stable / (1 - x), of_canary / (1 - x - hypothesis)
        of_near = np.where(upwards, p, q)
        of_far = np.where(upwards, q, p)
        both = of_near + of_far
        half = 0.5 * (of_near * (near - width) + of_far * (far - width)) / both
        root = half + np.sqrt(half * half + of_near * near * width / both)
        x = np.clip(np.where(upwards, root, root - hypothesis), low, high)
    return x


def compare(bets: Comparisons, rate: Array, canary: tuple[Array, Array], stable: tuple[Array, Array]) -> Array:
    """Logarithm of each bet's factor for one block in which both arms have requests.

    `rate` is stable's, foreseen from earlier blocks; the arms are (requests, bad ones). All have a last axis of 1.
    """
    (of_canary, bad_canary), (of_stable, bad_stable) = canary, stable
    hypothesis, direction = bets.hypothesis, bets.direction
    alternative = np.clip(rate + hypothesis + direction * bets.gap, TINY, 1 - TINY)
    x = project(hypothesis, rate, alternative, of_stable, of_canary)
    y = x + hypothesis
    ratio = of_canary / of_stable
    worse = direction > 0
    most = SAFE / np.maximum(np.where(worse, y, 1 - y), ratio * np.where(worse, 1 - x, x))
    stake = direction * np.clip(direction * (alternative - y) / (y * (1 - y)), 0.0, most)
    against = stake * ratio
    return np.asarray(
        bad_canary * np.log1p(stake * (1 - y))
        + (of_canary - bad_canary) * np.log1p(-stake * y)
        + bad_stable * np.log1p(-against * (1 - x))
        + (of_stable - bad_stable) * np.log1p(against * x)
    )


def bound(bets: Comparisons, rate: Array, canary: tuple[Array, Array]) -> Array:
    """The same for a block without requests of stable, where only bets against 'at least so much worse' are made.

    Who is worse by d fails d itself at least, so there y is the hypothesis and stable has no factor.
    """
    requests, bad = canary
    y = np.clip(bets.hypothesis, TINY, 1 - TINY)
    alternative = np.clip(rate + bets.hypothesis - bets.gap, TINY, 1 - TINY)
    stake = np.clip((alternative - y) / (y * (1 - y)), -SAFE / (1 - y), 0.0)
    stake = np.where((bets.direction < 0) & (bets.hypothesis > 0), stake, 0.0)
    return np.asarray(bad * np.log1p(stake * (1 - y)) + (requests - bad) * np.log1p(-stake * y))


def exceed(limit: float, alternatives: Array, requests: Array, bad: Array) -> Array:
    """Logarithm of the likelihood ratios of one arm's block: rates `alternatives` against the rate `limit`."""
    return np.asarray(bad * np.log(alternatives / limit) + (requests - bad) * np.log((1 - alternatives) / (1 - limit)))


def temper(growth: Array, requests: Array, seconds: Array, cap: float, beyond: float) -> Array:
    """Of a block's growth above `cap` only a part counts, which shrinks with its requests a second.

    Failures of the same second may have one cause, and the more requests fall into it the more of them: so one bad
    second can't decide alone unless it is overwhelming. `beyond` is the part for up to 5 requests a second. Longer
    blocks have more room: by the root of their seconds.
    """
    length = np.maximum(seconds, 1.0)
    most = cap * np.sqrt(length)
    part = beyond * 5 / np.maximum(requests / length, 5)
    return np.where(growth > most, most + part * (growth - most), growth)
