"""Differences of counters, believed once the next pages agree.

A page is no snapshot: Envoy goes on counting while it writes, so of two counters that it raises at the same instant one
may be in a page and the other only in the next.
"""

from collections import deque

AGREEING = 3  # pages


class Least:
    """The highest count that several pages in a row agree on."""

    def __init__(self, start: int = 0) -> None:
        self.total = start
        self._lately: deque[int] = deque([start], maxlen=AGREEING)

    def add(self, count: int) -> None:
        """One more page."""
        self._lately.append(count)
        self.total = max(self.total, min(self._lately))


class Surplus:
    """Sums what a difference of two counters is too much by, and takes nothing off for what it is too little by.

    What seems too much in one page and is missing in its neighbour was never there: a page counts when the next one is
    known. Where there never was too little, the sum of all says it as well, and hides nothing between neighbours.
    """

    def __init__(self) -> None:
        self._settled = 0
        self._last = (0, 0)
        self._sum = 0
        self._agreed = Least()

    @property
    def total(self) -> int:
        """So far, at least."""
        return max(self._settled, self._agreed.total)

    def add(self, difference: int) -> None:
        """One more page."""
        before, last = self._last
        self._settled += max(0, min(last, last + before, last + difference))
        self._last = (last, difference)
        self._sum += difference
        self._agreed.add(self._sum)


class CutOff:
    """Requests that lost their answer, without connections that were upgraded: those end like that in good order."""

    def __init__(self, upgraded: int = 0, open_: int = 0) -> None:
        self.total = 0
        self._surplus = Surplus()
        self._upgraded = upgraded
        self._open = open_

    def add(self, difference: int, upgraded: int) -> None:
        """One more page; `upgraded` counts from the beginning."""
        before = self._surplus.total
        self._surplus.add(difference)
        self._open += upgraded - self._upgraded
        self._upgraded = upgraded
        new = self._surplus.total - before
        ended = min(new, self._open)
        self._open -= ended
        self.total += new - ended
