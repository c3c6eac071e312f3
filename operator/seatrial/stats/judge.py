"""What a state says: worse or not, bounds of the difference, and the weights that these allow."""

import numpy as np

from seatrial.stats.bets import Array, Truth
from seatrial.stats.plan import Plan
from seatrial.stats.state import State

SLACK = 1 + 1e-9
"""So that margin / weight times weight is the margin in floating point too."""


def evidence(state: State) -> Array:
    """Logarithm of the e-process against 'no worse than stable by more than the margin, and within the limit'.

    The most that it ever was: the promise holds for all moments at once, so what was shown once stays shown.
    """
    return np.asarray(state.proof[..., 0])


def worse(state: State, alpha: float) -> Truth:
    """Whether the canary is shown to be worse than stable by more than the margin, or above the limit."""
    return np.asarray(evidence(state) >= -np.log(alpha))


def above_limit(state: State, alpha: float) -> Truth:
    """Whether the limit alone, by its half of the evidence, shows the canary to be above it."""
    return np.asarray(state.limit_wealth[..., 0] - np.log(2) >= -np.log(alpha))


def passes_limit_over(plan: Plan, state: State) -> Truth:
    """Whether stable was of late above the limit itself, so that it is asked of nobody."""
    bad, requests = state.recent[..., 2], state.recent[..., 3]
    return np.asarray((plan.limit is not None) & (requests >= 1) & (bad > plan.least * requests))


def beyond_margin(plan: Plan, state: State, alpha: float) -> Truth:
    """Whether the comparison alone, shows it to be worse by more than the margin."""
    return np.asarray(state.peak[..., plan.margin] >= -np.log(alpha))


def lower(plan: Plan, state: State, alpha: float) -> Array:
    """Bound that canary minus stable is above, at every moment at once with probability 1 - alpha."""
    rejected = state.peak[..., : len(plan.lower)] >= -np.log(alpha)
    count = np.cumprod(rejected, axis=-1).sum(axis=-1)
    return np.asarray(np.concatenate(([-1.0], plan.lower))[count])


def upper(plan: Plan, state: State, alpha: float) -> Array:
    """Bound that canary minus stable is below, at every moment at once with probability 1 - alpha."""
    rejected = state.peak[..., len(plan.lower) :] >= -np.log(alpha)
    count = np.cumprod(rejected[..., ::-1], axis=-1).sum(axis=-1)
    return np.asarray(np.concatenate(([1.0], plan.upper[::-1]))[count])


def allows(plan: Plan, state: State, weight: float, alpha: float) -> Truth:
    """Whether at `weight` percent of all traffic the harm would stay within the margin: weight times upper bound."""
    return np.asarray(weight / 100 * upper(plan, state, alpha) <= plan.delta * SLACK)


def largest_weight(plan: Plan, state: State, alpha: float) -> Array:
    """The largest weight, in percent, that is allowed."""
    bound = upper(plan, state, alpha)
    return np.minimum(100.0, 100 * plan.delta * SLACK / np.maximum(bound, plan.delta))
