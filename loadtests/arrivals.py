"""When requests are due: arrival times that depend on a seed and on nothing else.

Open arrival means that users come when they come, however slow the answers are. The times are therefore laid down
before the run. A stage is a stretch of time with one rate; the times of a non-homogeneous process follow from those of
a process of rate 1 by the inverse of its cumulated rate (the time-change theorem for Poisson processes), so one loop
serves every list of stages. Pure: no clock, no network.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Literal, get_args

Spacing = Literal["poisson", "constant"]
SPACINGS: tuple[Spacing, ...] = get_args(Spacing)


@dataclass(frozen=True)
class Stage:
    """A stretch of time with one rate, in arrivals a second; the last one may last for ever (`math.inf`)."""

    rate: float
    seconds: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rate) and self.rate >= 0):
            raise ValueError(f"a rate is a number of arrivals a second, not {self.rate}")
        if not self.seconds >= 0:
            raise ValueError(f"a stage can't last {self.seconds} seconds")

    @property
    def expected(self) -> float:
        """Mean number of arrivals."""
        return self.rate * self.seconds if self.rate else 0.0


def arrivals(stages: Sequence[Stage], *, spacing: Spacing = "poisson", seed: int = 0) -> Iterator[float]:
    """Times of the arrivals in seconds from the beginning, rising.

    `poisson` draws exponential gaps, as independent users make them; `constant` spaces evenly, the first at 0.

    >>> [round(t, 2) for t in arrivals([Stage(4, 1), Stage(2, 1)], spacing="constant")]
    [0.0, 0.25, 0.5, 0.75, 1.0, 1.5]
    """
    random = Random(seed)  # noqa: S311 - arrivals must repeat, not be secret
    even = spacing == "constant"
    due = 0.0 if even else random.expovariate(1.0)  # in expected arrivals since the beginning
    passed = 0.0  # the same, at the beginning of the stage
    began = 0.0
    for stage in stages:
        end = passed + stage.expected
        while due < end:
            yield began + (due - passed) / stage.rate
            due += 1.0 if even else random.expovariate(1.0)
        passed = end
        began += stage.seconds


def share(times: Iterator[float], *, worker: int, workers: int) -> Iterator[tuple[int, float]]:
    """The arrivals of one worker with their numbers: every `workers`-th one.

    Over all workers they make up the same arrivals, whatever the number of workers is.
    """
    if not 0 <= worker < workers:
        raise ValueError(f"there is no worker {worker} among {workers}")
    return islice(enumerate(times), worker, None, workers)
