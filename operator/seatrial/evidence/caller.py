"""What one proxy told so far, so that its next page is a difference, whatever happened in between.

Cumulative counts only ever grow here. A new process counts from zero, and so does a cluster that was taken away and
came back. Figures that fall though the process is the same are nobody's evidence: that is said, and they begin anew.

A hanging request counts as slow before it ends: of those under way, as many are older than the objective as weren't
begun since. When it ends it comes a second time, from the histogram or as one that got no answer, and late, because
histograms do. So the cumulative count is the highest that the figures ever allowed. What is counted ahead of them
can't be more than what was under way lately; a request that ended unseen (its client left in the middle of the answer)
would else hide a later slow one.

A page is no snapshot: Envoy goes on counting while it writes. What is a difference of several counters is believed once
the next pages agree.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from seatrial.evidence.figures import Figures, Page
from seatrial.evidence.reading import Reading
from seatrial.rollout.evidence import Tally

LAG = 7.0  # seconds by which a page may be behind: Envoy's default flush of 5 s, a look, and a whole second of uptime
AGREEING = 3  # pages

Read = Callable[[Figures, Figures], Reading]
"""What the figures of a page mean, given those of the page before."""

_NOTHING = Figures()


@dataclass(frozen=True)
class When:
    """A page shows a moment between these two, in seconds of a monotonic clock."""

    asked: float
    answered: float


@dataclass(frozen=True)
class Change:
    """What came since the page before, by revision; and whether the figures can't be true."""

    tallies: Mapping[int, Tally] = field(default_factory=dict)
    suspect: bool = False


class _Least:
    """The highest count that several pages in a row agree on."""

    def __init__(self) -> None:
        self.total = 0
        self._lately: deque[int] = deque([0], maxlen=AGREEING)

    def add(self, count: int) -> None:
        """One more page."""
        self._lately.append(count)
        self.total = max(self.total, min(self._lately))


class _Surplus:
    """Sums what a difference of two counters is too much by, and takes nothing off for what it is too little by.

    What seems too much in one page and is missing in its neighbour was never there: a page counts when the next one is
    known. Where there never was too little, the sum of all says it as well, and hides nothing between neighbours.
    """

    def __init__(self) -> None:
        self._settled = 0
        self._last = (0, 0)
        self._sum = 0
        self._agreed = _Least()

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


@dataclass(frozen=True)
class _Moment:
    """How many attempts were begun, and how many were under way."""

    when: When
    begun: int
    active: int


class _Track:
    """One revision at one proxy. `inherited` requests may be under way from before: their age isn't ours to judge."""

    def __init__(self, told: Tally | None = None, *, inherited: int = 0) -> None:
        self.told = told or Tally()
        self._inherited = inherited
        self._gone = _Least()
        self._lost, self._cut, self._unsaid = _Surplus(), _Surplus(), _Surplus()
        self._errors = 0
        self._hanging = 0
        self._forgiven = 0
        self._moments: deque[_Moment] = deque()

    def take(self, reading: Reading, when: When, slower_than: float | None) -> Tally:
        """What is new."""
        before = self.told
        self._gone.add(reading.gone)
        self._lost.add(reading.lost)
        self._cut.add(reading.cut)
        self._unsaid.add(reading.unsaid)
        self._errors += reading.errors
        self._inherited = min(self._inherited, reading.active)
        slow = before.slow if slower_than is None else self._slow(reading, when, slower_than / 1000)
        requests = reading.answered + self._gone.total
        settled = self._cut.total + self._unsaid.total + self._gone.total
        failed = min(requests, self._errors + settled)
        now = Tally(
            requests=requests,
            failed=failed,
            attempts=requests + reading.retries,
            failed_attempts=failed + max(0, reading.retries - reading.refused),
            timed=max(before.timed - before.slow, reading.fast) + slow,
            slow=slow,
            started=max(requests, reading.begun - reading.retries),
        )
        self.told = Tally(*(max(a, b) for a, b in zip(before.parts, now.parts, strict=True)))
        # An earlier process of ours may have seen more errors, page by page, than one page tells.
        self._errors = max(self._errors, self.told.failed - settled)
        return self.told - before

    def _slow(self, reading: Reading, when: When, longest: float) -> int:
        hanging = max(0, self._older(reading, when.asked - longest) - self._inherited)
        self._note(reading, when, longest)
        ended = reading.complete - reading.fast + self._lost.total + self._gone.total
        total = max(self.told.slow, ended + self._forgiven + min(hanging, self._hanging))
        self._hanging = hanging
        lately = max(m.active for m in self._moments if m.when.answered >= when.asked - LAG)
        self._forgiven += max(0, total - ended - self._forgiven - lately)
        return total

    def _older(self, reading: Reading, moment: float) -> int:
        """How many of those under way were begun before a moment, at least."""
        known = [m for m in self._moments if m.when.answered <= moment]
        return max(0, reading.active - (reading.begun - known[-1].begun)) if known else 0

    def _note(self, reading: Reading, when: When, longest: float) -> None:
        self._moments.append(_Moment(when, reading.begun, reading.active))
        horizon = when.asked - max(longest, LAG)
        while len(self._moments) > 1 and self._moments[1].when.answered <= horizon:
            self._moments.popleft()


class Caller:
    """One proxy. `told` are its counts as an earlier process of ours left them."""

    def __init__(self, read: Read, slower_than: float | None, told: Mapping[int, Tally] | None = None) -> None:
        self._read = read
        self._slower_than = slower_than
        self._resumed = told
        self._tracks: dict[int, _Track] = {}
        self._page: Page | None = None
        self._when = When(0.0, 0.0)

    @property
    def told(self) -> dict[int, Tally]:
        """Cumulative counts by revision, since the proxy began."""
        if self._page is None:
            return dict(self._resumed or {})
        return {revision: track.told for revision, track in self._tracks.items()}

    @property
    def answered(self) -> float:
        """When it answered last."""
        return self._when.answered

    def take(self, page: Page, when: When, *, since: float) -> Change:
        """Read its next page. A process that began after `since` had told nobody anything before."""
        if self._page is not None and when == self._when:  # the same page, shared
            return Change(dict.fromkeys(page.figures, Tally()))
        before, known = self._before(page, when, since)
        tallies: dict[int, Tally] = {}
        suspect = False
        for revision in [r for r in self._tracks if r not in page.figures]:
            del self._tracks[revision]
        for revision, figures in page.figures.items():
            earlier = before.get(revision, _NOTHING)
            fell = figures.fell_below(earlier)
            suspect = suspect or fell
            if fell or not known:
                tallies[revision] = self._begin(revision, figures, when)
            else:
                track = self._tracks.setdefault(revision, _Track())
                tallies[revision] = track.take(self._read(figures, earlier), when, self._slower_than)
        self._page, self._when = page, when
        return Change(tallies, suspect)

    def _before(self, page: Page, when: When, since: float) -> tuple[Mapping[int, Figures], bool]:
        """The figures of the page before, and whether what isn't in them is known to be zero."""
        if self._page is None:
            new = self._resumed is None and page.uptime is not None and page.uptime < when.asked - since
            return {}, new
        if self._is_new(self._page, page, when):
            self._tracks.clear()
            return {}, True
        return self._page.figures, True

    def _begin(self, revision: int, figures: Figures, when: When) -> Tally:
        """Go on from what an earlier process of ours was told; else from here, and count nothing of what was before."""
        reading = self._read(figures, _NOTHING)
        resumed = self._resumed if self._page is None else None
        told = (resumed or {}).get(revision, Tally())
        if reading.answered + reading.gone + reading.active < told.requests:  # the proxy is a new one
            told = Tally()
        track = self._tracks[revision] = _Track(told, inherited=reading.active)
        new = track.take(reading, when, self._slower_than)
        return Tally() if resumed is None else new

    def _is_new(self, before: Page, page: Page, when: When) -> bool:
        """Whether the process began since the page before; uptime is in whole seconds, as of the last flush."""
        if before.uptime is None or page.uptime is None:
            return False
        passed = when.asked - self._when.answered
        if page.uptime < max(before.uptime, before.uptime + passed - LAG):
            return True
        fell = any(page.figures.get(r, _NOTHING).fell_below(f) for r, f in before.figures.items())
        return fell and page.uptime <= when.answered - self._when.asked + 1
