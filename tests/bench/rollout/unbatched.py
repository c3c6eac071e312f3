"""Seatrial's analysis as the operator runs it, a rollout at a time: slow, and the measure of the batched rule."""

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from bench.rollout.rules import BACK, GOES_ON, PAUSED, UP, Array, Counts, Truth
from seatrial.api.rollouts import Analysis, Latency
from seatrial.rollout.analysis import Case, Ledger, enter, judge, open_ledger
from seatrial.rollout.evidence import Look, Tally

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STABLE, CANARY = 1, 2


class Unbatched:
    """The steps 10 and 50, decided by `seatrial.rollout.analysis` with its defaults."""

    first = 10.0
    hold = 5
    timeout = 300

    def __init__(self, *, latency: bool = False) -> None:
        self._analysis = Analysis(latency=Latency(slower_than="250ms") if latency else None)

    def begin(self, rollouts: int) -> None:
        case = Case(1, CANARY, STABLE, self._analysis, "rules")
        self._ledgers = [open_ledger(case, NOW) for _ in range(rollouts)]
        self._weight = np.full(rollouts, self.first)
        self._since = np.zeros(rollouts)

    def learn(self, counts: Counts) -> None:
        self._ledgers = [_entered(ledger, counts, i, 0) for i, ledger in enumerate(self._ledgers)]

    def look(self, time: int, counts: Counts) -> tuple[NDArray[np.int64], Array]:
        outcomes = np.full(len(self._ledgers), GOES_ON)
        for i, ledger in enumerate(self._ledgers):
            self._ledgers[i] = _entered(ledger, counts, i, 1)
            verdict = judge(self._ledgers[i], NOW)
            held = time + 1 - self._since[i]
            following = 50.0 if self._weight[i] < 50 else 100.0
            if verdict.finding == "Worse":
                outcomes[i] = BACK
            elif verdict.allowed >= following and held >= self.hold:
                self._weight[i], self._since[i] = following, time + 1
                outcomes[i] = UP if following >= 100 else GOES_ON
            elif held >= self.timeout:
                outcomes[i] = PAUSED
        return outcomes, self._weight.copy()

    def keep(self, going: Truth) -> None:
        self._ledgers = [ledger for ledger, stays in zip(self._ledgers, going, strict=True) if stays]
        self._weight, self._since = self._weight[going], self._since[going]


def _entered(ledger: Ledger, counts: Counts, i: int, weight: int) -> Ledger:
    tallies = {
        CANARY: _tally(counts.canary[i], counts.failed[i], counts.slow[i]),
        STABLE: _tally(counts.stable[i], counts.stable_failed[i], counts.stable_slow[i]),
    }
    return enter(ledger, Look(at=0.0, seconds=1.0, tallies=tallies), weight)


def _tally(requests: float, failed: float, slow: float) -> Tally:
    n, bad = int(requests), int(failed)
    return Tally(n, bad, n, bad, n, int(slow), n)
