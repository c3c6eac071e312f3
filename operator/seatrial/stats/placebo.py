"""The same test where nothing should be found: one stable pod against the others.

If pods of one revision differ by more than the margin, then a difference between revisions may be one of pods or
nodes, and the comparison proves nothing. The mean over a fixed number of places is an e-process of 'no stable pod is
worse than the others by more than the margin'. A place goes on with whatever pod sits in it, so pods may come and go.
Wealth is held at the alarm's threshold: an alarm ends soon after its cause.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from seatrial.stats.plan import Plan
from seatrial.stats.state import Block, State, begin, observe

PLACES = 8
ALPHA = 0.001
"""How probable a false alarm is at most. An alarm delays a decision, so it should be sure."""


@dataclass(frozen=True)
class Placebo:
    """Who sits where, and the test of each place. `plan` is terse and has no limit."""

    plan: Plan
    pods: tuple[str, ...]
    state: State

    @classmethod
    def of(cls, delta: float) -> "Placebo":
        """Empty places; `delta` is the margin, a fraction of 1."""
        plan = Plan(delta=delta, limit=None, weights=(), terse=True)
        return cls(plan, ("",) * PLACES, begin(plan, (PLACES,)))

    @property
    def wealth(self) -> float:
        """Logarithm of the e-process."""
        return float(np.log(np.mean(np.exp(self.state.wealth[:, 0]))))

    @property
    def alarmed(self) -> bool:
        """Whether some stable pod is shown to be worse than the others, of late."""
        return bool(self.wealth >= -np.log(ALPHA))

    def observe(self, pods: Mapping[str, tuple[int, int]], seconds: float = 1.0) -> "Placebo":
        """After a look at (requests, bad ones) of each stable pod."""
        places = _seat(self.pods, pods)
        total, bad = (sum(p[i] for p in pods.values()) for i in (0, 1))
        own = np.array([pods.get(p, (0, 0)) for p in places], dtype=np.float64)
        others = np.where(own[:, :1] > 0, np.array([total, bad]) - own, 0.0)
        state = observe(self.plan, self.state, Block(own[:, 0], own[:, 1], others[:, 0], others[:, 1], seconds))
        most = np.log(PLACES / ALPHA) + 0.5
        return replace(self, pods=places, state=replace(state, wealth=np.minimum(state.wealth, most)))


def _seat(places: tuple[str, ...], pods: Mapping[str, tuple[int, int]]) -> tuple[str, ...]:
    """Who has requests keeps the place; newcomers take those of the gone, and may find none."""
    new = iter(sorted(p for p, (requests, _) in pods.items() if requests > 0 and p not in places))
    return tuple(p if p in pods else next(new, "") for p in places)
