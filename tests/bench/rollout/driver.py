"""Lets a rule decide on the streams of a scenario, and counts what became of the rollouts and of the users."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.rollout.rules import BACK, GOES_ON, PAUSED, UP, Array, Counts, Rule, Truth
from bench.rollout.streams import Scenario, Second, Stream

DELAY = 1
"""Seconds until a changed weight is carried by the proxies; a canary that goes back has its share until then."""

BEFORE = 5
"""Seconds of stable traffic before the canary's first request, while its pods start."""

HORIZON = 1200


@dataclass(frozen=True)
class Outcome:
    """One entry a rollout: what became of it and when (seconds from the first weight), and what it cost.

    `requests` and `harmed` are the canary's requests and the bad ones of these. `highest` is the largest
    weight that it was given beyond the first, 0 where none was.
    """

    kind: NDArray[np.int64]
    time: Array
    requests: Array
    harmed: Array
    highest: Array

    def share(self, kind: int) -> float:
        """Percent of the rollouts that ended so."""
        return 100 * float(np.mean(self.kind == kind))

    def reached(self, weight: float) -> float:
        """Percent of the rollouts that had this weight."""
        return 100 * float(np.mean(self.highest >= weight))

    def quantiles(self, of: Array, kind: int) -> tuple[float, float] | None:
        """Median and 95th percentile among those that ended so."""
        chosen = of[self.kind == kind]
        return (float(np.median(chosen)), float(np.percentile(chosen, 95))) if len(chosen) else None


def run(scenario: Scenario, rule: Rule, *, rollouts: int, seed: int) -> Outcome:
    """The outcome of so many rollouts."""
    stream, random = Stream(scenario, rollouts, seed), np.random.default_rng([seed, 1])
    rule.begin(rollouts)
    nobody = np.zeros(rollouts)
    for time in range(-BEFORE, 0):
        rule.learn(_split(stream.second(time), nobody, np.arange(rollouts), random))
    kind, ended = np.full(rollouts, PAUSED), np.full(rollouts, float(HORIZON))
    requests, harmed, highest = np.zeros(rollouts), np.zeros(rollouts), np.zeros(rollouts)
    going, weight = np.arange(rollouts), np.full(rollouts, rule.first)
    former = weight
    for time in range(HORIZON):
        if not len(going):
            break
        counts = _split(stream.second(time), former, going, random)
        former = weight
        requests[going] += counts.canary
        harmed[going] += np.maximum(counts.failed, counts.slow)
        outcome, weight = rule.look(time, counts)
        highest[going] = np.maximum(highest[going], np.where((outcome == BACK) | (weight <= rule.first), 0, weight))
        over: Truth = outcome != GOES_ON
        if over.any():
            done = going[over]
            kind[done], ended[done] = outcome[over], time + 1
            back = outcome == BACK
            _let_it_end(stream.scenario, going[back], former[back], harmed, random)
            going, weight, former = going[~over], weight[~over], former[~over]
            rule.keep(~over)
    return Outcome(kind, ended, requests, harmed, highest)


def _split(second: Second, weight: Array, going: NDArray[np.int64], random: np.random.Generator) -> Counts:
    arrivals = second.arrivals[going]
    canary = random.binomial(arrivals, weight / 100)
    stable = arrivals - canary
    return Counts(
        canary=canary.astype(float),
        failed=random.binomial(canary, second.canary[going]).astype(float),
        slow=random.binomial(canary, second.canary_slow[going]).astype(float),
        stable=stable.astype(float),
        stable_failed=random.binomial(stable, second.stable[going]).astype(float),
        stable_slow=random.binomial(stable, second.stable_slow[going]).astype(float),
    )


def _let_it_end(
    scenario: Scenario, back: NDArray[np.int64], weight: Array, harmed: Array, random: np.random.Generator
) -> None:
    """Until the proxies carry the decision the canary goes on harming."""
    bad = max(scenario.base + scenario.extra, scenario.canary_slow)
    harmed[back] += random.binomial(random.poisson(DELAY * scenario.rps * weight / 100), bad)


__all__ = ["BACK", "GOES_ON", "PAUSED", "UP", "Outcome", "run"]
