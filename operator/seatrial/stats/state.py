"""Where a test stands, and what a block does to it.

Values only: `observe` gives a new state and leaves the old one as it was.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike

from seatrial.stats.bets import Array, Truth, bound, compare, exceed, temper
from seatrial.stats.plan import Plan


@dataclass(frozen=True)
class Block:
    """What ended between two looks: requests and bad ones of each arm, and the seconds between the looks.

    Numbers, or arrays with one entry a rollout.
    """

    canary: ArrayLike = 0.0
    canary_bad: ArrayLike = 0.0
    stable: ArrayLike = 0.0
    stable_bad: ArrayLike = 0.0
    seconds: float = 1.0


@dataclass(frozen=True, eq=False)
class State:
    """Wealth of all bets and what they are sized by. Leading axes are a batch; the last axis is named below.

    `wealth` [groups] is the logarithm of each group's e-process, `share` [bets] its part in each bet, `peak` [groups]
    the largest wealth so far. `limit_wealth` [1] and `limit_share` [bets] are those of the limit. `rate` [2] and
    `recent` [4: of late, and for longer] are discounted (bad, requests) of stable. `waiting` [5] holds requests without
    counterpart: canary, bad, stable, bad, seconds. `blocks` [2] counts the blocks that were bet on, of the comparison
    and of the limit. `proof` [1] is the logarithm of the most that both together ever showed.
    """

    wealth: Array
    share: Array
    peak: Array
    limit_wealth: Array
    limit_share: Array
    rate: Array
    recent: Array
    waiting: Array
    blocks: Array
    proof: Array


def begin(plan: Plan, batch: tuple[int, ...] = ()) -> State:
    """The state before anything is seen."""
    groups = len(plan.comparisons.starts)
    return State(
        wealth=np.zeros((*batch, groups)),
        share=np.broadcast_to(plan.comparisons.prior, (*batch, len(plan.comparisons.prior))).copy(),
        peak=np.zeros((*batch, groups)),
        limit_wealth=np.zeros((*batch, 1)),
        limit_share=np.broadcast_to(plan.excess_prior, (*batch, len(plan.excess_prior))).copy(),
        rate=np.zeros((*batch, 2)),
        recent=np.zeros((*batch, 4)),
        waiting=np.zeros((*batch, 5)),
        blocks=np.zeros((*batch, 2)),
        proof=np.zeros((*batch, 1)),
    )


def take(state: State, where: object) -> State:
    """The rollouts of a batch that an index or a mask selects."""
    return State(**{f.name: getattr(state, f.name)[where] for f in fields(State)})


def observe(plan: Plan, state: State, block: Block) -> State:
    """The state after a block. Blocks come in the order of time, each request in one block only."""
    canary_bad, stable_bad = np.minimum(block.canary_bad, block.canary), np.minimum(block.stable_bad, block.stable)
    counts = (block.canary, canary_bad, block.stable, stable_bad)
    now = np.stack(np.broadcast_arrays(*(np.asarray(c, dtype=np.float64) for c in counts), block.seconds), axis=-1)
    now = np.broadcast_to(now, state.waiting.shape)
    after = _limit(plan, _compare(plan, state, now), now)
    compared = after.blocks[..., :1] > state.blocks[..., :1]
    return replace(after, proof=np.maximum(state.proof, _proof(plan, after, compared)))


def _proof(plan: Plan, state: State, compared: Truth) -> Array:
    """Logarithm of the mean of both tests' wealth.

    While requests wait for their counterpart the comparison counts as nothing, because they may be what the moment is
    chosen by, and it hasn't counted them; the limit has.
    """
    comparison = np.where(compared, state.wealth[..., plan.margin : plan.margin + 1], -np.inf)
    return np.asarray(np.logaddexp(comparison, state.limit_wealth) - np.log(2))


def _compare(plan: Plan, state: State, now: Array) -> State:
    """Bet on the difference, if both arms have requests; else let them wait for one another.

    What the canary waited for in vain still bounds how much worse it can be.
    """
    tuning, bets = plan.tuning, plan.comparisons
    block = state.waiting + now
    canary, canary_bad, stable, stable_bad, age = (block[..., i : i + 1] for i in range(5))
    ready = (canary > 0) & (stable > 0)
    bad, total = tuning.prior
    rate = (state.rate[..., :1] + bad) / (state.rate[..., 1:] + total)
    one = np.where(ready, 1.0, 0.0)
    # Where nothing is bet, one good request of each arm stands in, and its factor is not used.
    factor = compare(
        bets,
        rate,
        (np.where(ready, canary, 1.0), canary_bad * one),
        (np.where(ready, stable, 1.0), stable_bad * one),
    )
    done = ready | (age >= tuning.patience)
    alone = done & ~ready & (canary > 0)
    if np.any(alone):
        factor = np.where(alone, bound(bets, rate, (canary, canary_bad)), factor)
    growth = temper(factor, canary, now[..., 4:], tuning.cap, tuning.beyond) * (ready | alone)
    leak = _leak(bets.leak, state.blocks[..., :1]) * one
    stakes = (state.share + leak * (bets.prior - state.share)) * np.exp(growth)
    sums = np.add.reduceat(stakes, bets.starts, axis=-1)
    wealth = state.wealth + np.log(sums)
    fade = 0.5 ** (age / tuning.half_life)
    return replace(
        state,
        wealth=wealth,
        share=stakes / sums[..., bets.group],
        peak=np.maximum(state.peak, wealth),
        rate=np.where(done, state.rate * fade + block[..., [3, 2]], state.rate),
        waiting=np.where(done, 0.0, block),
        blocks=state.blocks + one * [1.0, 0.0],
    )


def _limit(plan: Plan, state: State, now: Array) -> State:
    """Bet that the canary is above the limit, where stable is known to be within it, or not heard of at all."""
    tuning, limit = plan.tuning, plan.least
    canary, canary_bad, stable, stable_bad, seconds = (now[..., i : i + 1] for i in range(5))
    fade = 0.5 ** (seconds / [tuning.recent, tuning.recent, tuning.record, tuning.record])
    recent = state.recent * fade + now[..., [3, 2, 3, 2]]
    if plan.limit is None or plan.limit >= 1:
        return replace(state, recent=recent)
    bad, heard, bad_before, before = (recent[..., i : i + 1] for i in range(4))
    ill = (stable_bad > limit * stable) | (bad > limit * heard) | (bad_before + 1 > limit * before)
    one = np.where((ill & (heard >= 1)) | (canary <= 0), 0.0, 1.0)
    growth = temper(exceed(limit, plan.excesses, canary, canary_bad), canary, seconds, tuning.cap, tuning.beyond) * one
    leak = _leak(tuning.worse_leak, state.blocks[..., 1:]) * one
    stakes = (state.limit_share + leak * (plan.excess_prior - state.limit_share)) * np.exp(growth)
    total = stakes.sum(axis=-1, keepdims=True)
    return replace(
        state,
        recent=recent,
        limit_wealth=state.limit_wealth + np.log(total),
        limit_share=stakes / total,
        blocks=state.blocks + one * [0.0, 1.0],
    )


def _leak(first: float | Array, blocks: Array) -> Array:
    """What is spread anew before a block: less and less, so that all of it costs the logarithm of the time only."""
    return np.asarray(first / (1 + first * blocks))
