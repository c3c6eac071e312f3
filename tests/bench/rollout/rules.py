"""The rules that decide on the streams: Seatrial's own code, and models of two others.

The others' models are kind to them: metrics are fresh and complete, and each takes effect as fast as Seatrial.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seatrial import stats

Array = NDArray[np.float64]
Truth = NDArray[np.bool_]

GOES_ON, BACK, UP, PAUSED = 0, 1, 2, 3


@dataclass(frozen=True)
class Counts:
    """Of one second: requests, failed and slow ones, of canary and stable."""

    canary: Array
    failed: Array
    slow: Array
    stable: Array
    stable_failed: Array
    stable_slow: Array


class Rule(Protocol):
    """Decides for a batch. `look` gives each rollout's outcome so far and the weight that it is to have."""

    first: float

    def begin(self, rollouts: int) -> None:
        """Start anew."""

    def learn(self, counts: Counts) -> None:
        """A second before the canary has any weight."""

    def look(self, time: int, counts: Counts) -> tuple[NDArray[np.int64], Array]:
        """After the second that began at `time`."""
        ...

    def keep(self, going: Truth) -> None:
        """Forget all others."""


@dataclass
class Evidence:
    """Seatrial: a look a second, `steps` or, without any, weights that the evidence chooses."""

    latency: bool = False
    delta: float = 0.01
    steps: Sequence[float] = (10, 50)
    hold: int = 5
    requests: int = 50
    timeout: int = 300
    first: float = field(init=False)

    def __post_init__(self) -> None:
        self.first = self.steps[0] if self.steps else 5
        weights = (*self.steps, 100) if self.steps else (7.5, 10, 14, 20, 25, 33, 45, 60, 75, 90, 100)
        self._plan = stats.Plan(delta=self.delta, limit=0.01, weights=weights, terse=True)
        # Without retries, attempts fail when requests do; with a smaller part and no limit, they never decide first.
        parts = (0.6, 0.2) if self.latency else (0.75,)
        self._alphas = [stats.share(0.05, part) for part in parts]

    def begin(self, rollouts: int) -> None:
        self._states = [stats.begin(self._plan, (rollouts,)) for _ in self._alphas]
        self._weight = np.full(rollouts, float(self.first))
        self._since = np.zeros(rollouts)
        self._seen = np.zeros(rollouts)

    def learn(self, counts: Counts) -> None:
        self._observe(counts)

    def _observe(self, counts: Counts) -> None:
        bad = [(counts.failed, counts.stable_failed), (counts.slow, counts.stable_slow)]
        self._states = [
            stats.observe(self._plan, state, stats.Block(counts.canary, mine, counts.stable, theirs))
            for state, (mine, theirs) in zip(self._states, bad, strict=False)
        ]

    def look(self, time: int, counts: Counts) -> tuple[NDArray[np.int64], Array]:
        self._observe(counts)
        self._seen += counts.canary
        plan, states = self._plan, self._states
        back = np.any([stats.worse(s, a) for s, a in zip(states, self._alphas, strict=True)], axis=0)
        largest = [np.floor(stats.largest_weight(plan, s, stats.share(0.05))) for s in states]
        allowed = np.where(self._seen >= self.requests, np.min(largest, axis=0), 0.0)
        held = time + 1 - self._since
        wanted = self._next(allowed)
        steps = ~back & (allowed >= wanted) & (held >= self.hold)
        self._weight = np.where(steps, wanted, self._weight)
        self._since = np.where(steps, time + 1.0, self._since)
        outcome = np.where(back, BACK, np.where(steps & (wanted >= 100), UP, GOES_ON))
        return np.where((outcome == GOES_ON) & ~steps & (held >= self.timeout), PAUSED, outcome), self._weight

    def _next(self, allowed: Array) -> Array:
        if not self.steps:
            return np.minimum(100.0, np.maximum(np.ceil(1.5 * self._weight), allowed))
        path = np.array([*self.steps, 100.0])
        return path[np.minimum(np.searchsorted(path, self._weight, side="right"), len(path) - 1)]

    def keep(self, going: Truth) -> None:
        self._states = [stats.take(state, going) for state in self._states]
        self._weight, self._since, self._seen = self._weight[going], self._since[going], self._seen[going]


@dataclass
class Threshold:
    """A threshold on the share of bad requests of the last interval.

    `patience` checks may fail; with `progresses`, a passed check is a step (Flagger), else each step lasts `pause`
    seconds (Argo Rollouts). An interval without requests fails for the former and says nothing to the latter.
    """

    interval: int
    patience: int
    steps: Sequence[float]
    progresses: bool
    pause: int = 20
    limit: float = 0.01
    first: float = field(init=False)

    def __post_init__(self) -> None:
        self.first = self.steps[0]

    def begin(self, rollouts: int) -> None:
        self._window = np.zeros((3, rollouts))
        self._failures = np.zeros(rollouts)
        self._step = np.zeros(rollouts, int)

    def learn(self, counts: Counts) -> None:
        """What was before isn't looked at."""

    def look(self, time: int, counts: Counts) -> tuple[NDArray[np.int64], Array]:
        self._window += [counts.canary, counts.failed, counts.slow]
        outcome = np.full(len(counts.canary), GOES_ON)
        if (time + 1) % self.interval == 0:
            requests, failed, slow = self._window
            bad = np.maximum(failed, slow) > self.limit * requests
            if self.progresses:
                outcome[self._failures >= self.patience] = BACK
                bad |= requests == 0
            self._failures += bad
            if not self.progresses:
                outcome[self._failures > self.patience] = BACK
            self._step += ~bad & self.progresses
            self._window = np.zeros_like(self._window)
        if not self.progresses and (time + 1) % self.pause == 0:
            self._step += 1
        up = (outcome == GOES_ON) & (self._step >= len(self.steps))
        weight = np.append(self.steps, 100.0)[np.minimum(self._step, len(self.steps))]
        return np.where(up, UP, outcome), weight

    def keep(self, going: Truth) -> None:
        self._window = self._window[:, going]
        self._failures, self._step = self._failures[going], self._step[going]


def flagger_tutorial() -> Threshold:
    """interval 1m, threshold 5, stepWeight 10, maxWeight 50, success rate 99, as in its tutorials."""
    return Threshold(interval=60, patience=5, steps=(10, 20, 30, 40, 50), progresses=True)


def flagger_fast() -> Threshold:
    """The shortest interval that it has, and as few failed checks as it can be told."""
    return Threshold(interval=10, patience=1, steps=(10, 50), progresses=True)


def argo() -> Threshold:
    """Background analysis each 5 s, failureLimit 0, two pauses of 20 s."""
    return Threshold(interval=5, patience=0, steps=(10, 50), progresses=False)
