"""A state as a short text, for the next process to go on from. Rounding only ever takes evidence away.

Wealth, peaks and shares are written as logarithms in 1/512, rounded down, and counts as they are. A text made for
another plan, or by another version, is refused.
"""

import base64
import binascii
import zlib

import numpy as np
from numpy.typing import NDArray

from seatrial.stats.bets import Array
from seatrial.stats.plan import Plan
from seatrial.stats.state import State, begin

VERSION = 2
STEP = 512.0
COUNTS = 4 * 13
"""Bytes of the counts."""
NOTHING = -(2**15)
"""Stands for a logarithm below -64, of a share that is as good as lost."""


def dump(plan: Plan, state: State) -> str:
    """A text of 1.5 kB or less. The state has no batch."""
    logarithms = np.concatenate([_downwards(a) for a in _logarithms(state)])
    counts = np.concatenate([state.rate, state.recent, state.waiting, state.blocks]).astype("<f4")
    body = _mark(plan) + counts.tobytes() + logarithms.tobytes()
    return base64.b85encode(zlib.compress(body, 9)).decode()


def load(plan: Plan, text: str) -> State:
    """The state that `dump` wrote, with no more evidence than it had. ValueError where it can't be one of this plan."""
    empty = begin(plan)
    shapes = [len(a) for a in _logarithms(empty)]
    try:
        body = zlib.decompress(base64.b85decode(text))
    except (ValueError, zlib.error, binascii.Error) as error:
        raise ValueError("a checkpoint that can't be read") from error
    mark, rest = body[:5], body[5:]
    if mark != _mark(plan) or len(rest) != COUNTS + 2 * sum(shapes):
        raise ValueError("a checkpoint of another plan")
    counts = np.frombuffer(rest[:COUNTS], "<f4").astype(np.float64)
    written = np.frombuffer(rest[COUNTS:], "<i2")
    parts = np.split(np.where(written == NOTHING, -np.inf, written / STEP), np.cumsum(shapes)[:-1])
    wealth, peak, limit_wealth, proof, share, limit_share = parts
    lost = np.log(np.add.reduceat(np.exp(share), plan.comparisons.starts))
    limit_lost = np.log(np.exp(limit_share).sum(keepdims=True))
    return State(
        wealth=wealth + np.minimum(lost, 0),
        share=np.exp(share - lost[plan.comparisons.group]),
        peak=peak,
        limit_wealth=limit_wealth + np.minimum(limit_lost, 0),
        limit_share=np.exp(limit_share - limit_lost),
        rate=counts[0:2],
        recent=counts[2:6],
        waiting=counts[6:11],
        blocks=counts[11:],
        proof=proof,
    )


def _logarithms(state: State) -> list[Array]:
    with np.errstate(divide="ignore"):
        return [
            state.wealth,
            state.peak,
            state.limit_wealth,
            state.proof,
            np.log(state.share),
            np.log(state.limit_share),
        ]


def _downwards(logarithms: Array) -> NDArray[np.int16]:
    return np.clip(np.floor(logarithms * STEP), NOTHING, 2**15 - 1).astype("<i2")


def _mark(plan: Plan) -> bytes:
    return bytes([VERSION]) + zlib.crc32(repr(plan).encode()).to_bytes(4, "little")
