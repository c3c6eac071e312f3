"""What users do and what the revisions make of it, second by second, for thousands of rollouts at once.

Every rule is shown the same seconds: arrivals, and how probable it is that a request of either arm is bad.
"""

from dataclasses import dataclass
from math import log
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Shape = Literal["steady", "warm-up", "bursts", "autocorrelated", "outage", "diurnal"]

SPREAD = 0.7
"""Standard deviation of the logarithm of latency."""


@dataclass(frozen=True)
class Scenario:
    """Rates are fractions of 1. `slow` is stable's share of slow requests, None where latency isn't judged.

    `extra` is what the canary fails beyond stable, `slower` by how much its latency is multiplied.
    """

    rps: float
    base: float = 0.001
    extra: float = 0.0
    slow: float | None = None
    slower: float = 1.0
    shape: Shape = "steady"

    @property
    def canary_slow(self) -> float:
        """The canary's share of slow requests: the tail of a log-normal law moves."""
        if not self.slow:
            return self.slow or 0.0
        return 1 - NormalDist().cdf(NormalDist().inv_cdf(1 - self.slow) - log(self.slower) / SPREAD)


@dataclass(frozen=True)
class Second:
    """Arrivals, and the probability of failed and of slow requests of each arm."""

    arrivals: NDArray[np.int64]
    canary: Array
    stable: Array
    canary_slow: Array
    stable_slow: Array


class Stream:
    """The seconds of `rollouts` rollouts, reproducible by `seed`."""

    def __init__(self, scenario: Scenario, rollouts: int, seed: int) -> None:
        self.scenario = scenario
        self._random = np.random.default_rng(seed)
        self._size = rollouts
        self._phase = self._random.random(rollouts)
        self._ill = np.zeros((2, rollouts), bool)

    def second(self, time: int) -> Second:
        """What happens in the second that begins at `time`, counted from the canary's first weight."""
        s, n = self.scenario, self._size
        rate = np.full(n, float(s.rps))
        if s.shape == "diurnal":
            rate *= 1 + 0.8 * np.sin(2 * np.pi * (time / 120 + self._phase))
        canary, stable = np.full(n, s.base + s.extra), np.full(n, s.base)
        canary_slow, stable_slow = np.full(n, s.canary_slow), np.full(n, s.slow or 0.0)
        if s.shape == "outage":
            began = 5 + 50 * self._phase
            struck = 0.5 * ((time >= began) & (time < began + 10))
            canary, stable = np.maximum(canary, struck), np.maximum(stable, struck)
        if s.shape in {"bursts", "autocorrelated"}:
            self._fall_ill()
            height = 0.3 if s.shape == "bursts" else 0.1
            canary = np.where(self._ill[0], np.maximum(canary, height), s.extra)
            stable = np.where(self._ill[1], height, 0.0)
        if s.shape == "warm-up":
            canary_slow = np.maximum(canary_slow, canary_slow + 0.1 * np.exp(-time / 5))
        return Second(self._random.poisson(rate), canary, stable, canary_slow, stable_slow)

    def _fall_ill(self) -> None:
        """Each arm for itself, once in five minutes: for one second (bursts), or for three on average."""
        begins = self._random.random((2, self._size)) < 1 / 300
        lasts = self._random.random((2, self._size)) < 2 / 3
        self._ill = begins | (self._ill & lasts & (self.scenario.shape == "autocorrelated"))
