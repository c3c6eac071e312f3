"""How much raw counters grew between two looks, series by series, from the samples that Prometheus scraped.

Why samples and not `increase()`: that one extrapolates, so its results aren't counts, and it leaves out the first
sample of a series, which is where the first failures of a new revision are. And a sum over series falls when one pod
goes, which can't be told from a restart. Samples have the time at which they were scraped: two replicas of a Prometheus
behind one address, each some seconds apart, never look like a counter that goes back and forth.

Where a series begins:
- At the first look nothing is counted: what was before isn't evidence.
- A series that turns up later began at zero, provided that its target was scraped before without it. Where the target
  is as new to Prometheus as the series, nobody can say when its first value came about: counting begins with it.
- A value that falls began anew at zero, as in `rate()`; since the target is the same, that is said, too.
- A proxy that two scrape configurations know (ports 15020 and 15090) is counted at one of them, and begins anew at the
  other one when that one goes.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from seatrial.evidence.prometheus_api import Series

Target = tuple[str, str]
"""Labels `job` and `instance`."""


@dataclass(frozen=True)
class Growth:
    """A series that grew `by` so much since the look before, and is `total` now."""

    labels: Mapping[str, str]
    target: Target
    by: int
    total: int


@dataclass(frozen=True)
class Grown:
    """What a look brought. `newer`: there was a sample that the look before didn't have. `fell`: whose values did."""

    series: tuple[Growth, ...] = ()
    fell: frozenset[Target] = frozenset()
    newer: bool = False


class Growing:
    """Remembers the newest sample of each series."""

    def __init__(self) -> None:
        self._newest: dict[frozenset[tuple[str, str]], tuple[float, float]] = {}
        self._targets: dict[str, Target] = {}  # by proxy
        self._began = False

    def once(self, found: Sequence[Series]) -> list[Series]:
        """The series of one target a proxy: that of the look before where it is still there."""
        there: dict[str, set[Target]] = {}
        for series in found:
            there.setdefault(_proxy(series), set()).add(target_of(series))
        chosen = {p: t if (t := self._targets.get(p)) in targets else min(targets) for p, targets in there.items()}
        return [s for s in found if chosen[_proxy(s)] == target_of(s)]

    def strangers(self, found: Iterable[Series]) -> list[Target]:
        """Targets of which it must be known since when they are scraped, before their series are taken."""
        if not self._began:
            return []
        return sorted({target_of(s) for s in found if _proxy(s) not in self._targets})

    def take(self, found: Sequence[Series], scraped: Mapping[Target, float]) -> Grown:
        """Go on to these samples. `scraped` has the earliest successful scrape of strangers, where one is known."""
        grown, fell, newer = [], set(), False
        for series in found:
            key, target = frozenset(series.labels.items()), target_of(series)
            before = self._newest.get(key) or self._beginning(series, scraped)
            fresh = [s for s in series.samples if s[0] > before[0] and math.isfinite(s[1])]
            by, has_fallen = _increase(before[1], [value for _, value in fresh])
            self._newest[key] = fresh[-1] if fresh else before
            newer |= bool(fresh) or not self._began
            if has_fallen:
                fell.add(target)
            grown.append(Growth(series.labels, target, by, round(self._newest[key][1])))
        self._targets |= {_proxy(s): target_of(s) for s in found}
        self._began = True
        return Grown(tuple(grown), frozenset(fell), newer)

    def _beginning(self, series: Series, scraped: Mapping[Target, float]) -> tuple[float, float]:
        """From when and from which value a series is counted that wasn't known."""
        target, first = target_of(series), series.samples[0]
        known = self._targets.get(_proxy(series))
        if not self._began or known not in (None, target):
            return series.newest
        is_born = known == target or scraped.get(target, first[0]) < first[0]
        return (-math.inf, 0.0) if is_born else first


def target_of(series: Series) -> Target:
    """Which scrape target a series is of."""
    return series.labels.get("job", ""), series.labels.get("instance", "")


def address_of(instance: str) -> str:
    """The label `instance` without its port.

    >>> address_of("10.0.0.1:15090"), address_of("[fd00::1]:15020"), address_of("some-pod")
    ('10.0.0.1', 'fd00::1', 'some-pod')
    """
    host, colon, port = instance.rpartition(":")
    return host.strip("[]") if colon and port.isdigit() else instance


def _proxy(series: Series) -> str:
    return address_of(series.labels.get("instance", ""))


def _increase(start: float, values: Iterable[float]) -> tuple[int, bool]:
    """The sum of all rises, a fall being a restart from zero; and whether there was one."""
    total, before, has_fallen = 0.0, start, False
    for value in values:
        has_fallen |= value < before
        total += value - before if value >= before else value
        before = value
    return round(total), has_fallen
