"""How a promise is divided: over the objectives, and over the restarts of a test. Never over looks or steps."""

from math import pi

FIRST = 0.8
"""Part of the promise for the test that was never restarted. The rest goes to the restarts, as 1, 1/4, 1/9, …"""


def share(promise: float, part: float = 1.0, restarts: int = 0) -> float:
    """Probability that the test of one objective may err with, after so many restarts of its rollout.

    `promise` is that of the whole rollout, for example 0.05, and `part` the objective's part of it; all parts of a
    rollout sum to 1 at most. Summed over all restarts this is `promise * part`.
    """
    series = FIRST if restarts == 0 else (1 - FIRST) * 6 / (pi * restarts) ** 2
    return promise * part * series
