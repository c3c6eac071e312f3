"""What one proxy told so far, so that its next page is a difference, whatever happened in between.

Cumulative counts only ever grow here. A new process counts from zero, and so does a cluster that was taken away and
came back. Figures that fall though the process is the same are nobody's evidence: that is said, and they begin anew.

A hanging request counts as slow before it ends: of those under way, as many are older than the objective as weren't
begun since. When it ends it comes a second time, from the histogram or as one that got no answer, and late, because
histograms do. So the cumulative count is the highest that the figures ever allowed. What is counted ahead of them
can't be more than what was under way lately; a request that ended unseen (its client left in the middle of the answer)
would else hide a later slow one.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from seatrial.evidence.agreed import CutOff, Least, Surplus
from seatrial.evidence.figures import Figures, Page
from seatrial.evidence.reading import Reading
from seatrial.rollout.evidence import Tally

LAG = 7.0  # seconds by which a page may be behind: Envoy's default flush of 5 s, a look, and a whole second of uptime
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


@dataclass(frozen=True)
class _Moment:
    """How many attempts were begun, and how many were under way."""

    when: When
    begun: int
    active: int


class _Track:
    """One revision at one proxy, from zero or from `past`: what it told when somebody begins to listen."""

    def __init__(self, past: Reading | None = None, told: Tally | None = None) -> None:
        past = past or Reading()
        before = _past(past)
        self.told = before if told is None else Tally(*map(max, before.parts, told.parts))
        self._gone = Least(past.gone)
        upgraded, open_ = past.upgraded, min(past.upgraded, past.active)
        self._lost, self._cut = CutOff(upgraded, open_), CutOff(upgraded, open_)
        self._unsaid = Surplus()
        self._errors = max(0, self.told.failed - past.gone)
        self._lost_before = max(0, past.lost)
        self._inherited = past.active  # under way from before: their age isn't ours to judge
        self._hanging = 0
        self._forgiven = 0
        self._moments: deque[_Moment] = deque()

    def take(self, reading: Reading, when: When, slower_than: float | None) -> Tally:
        """What is new."""
        before = self.told
        self._gone.add(reading.gone)
        self._lost.add(reading.lost, reading.upgraded)
        self._cut.add(reading.cut, reading.upgraded)
        self._unsaid.add(reading.unsaid)
        self._errors += reading.errors
        slow = self._slow(reading, when, slower_than / 1000) if slower_than and reading.judged else before.slow
        requests = reading.answered + self._gone.total
        failed = min(requests, self._errors + self._cut.total + self._unsaid.total + self._gone.total)
        now = Tally(
            requests=requests,
            failed=failed,
            attempts=requests + reading.retries,
            failed_attempts=failed + max(0, reading.retries - reading.refused),
            timed=max(before.timed - before.slow, reading.fast) + slow,
            slow=slow,
            started=max(requests, reading.begun - reading.retries),
        )
        self.told = Tally(*map(max, before.parts, now.parts))
        return self.told - before

    def listen(self, reading: Reading, when: When, slower_than: float | None) -> None:
        """Note who is under way at the page that is its past."""
        if slower_than:
            self._note(reading, when, slower_than / 1000)

    def _slow(self, reading: Reading, when: When, longest: float) -> int:
        self._inherited = min(self._inherited, reading.active)
        hanging = max(0, self._older(reading, when.asked - longest) - self._inherited)
        self._note(reading, when, longest)
        ended = reading.complete - reading.fast + self._lost_before + self._lost.total + self._gone.total
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
                if revision not in self._tracks:
                    self._tracks[revision] = _Track()
                tallies[revision] = self._tracks[revision].take(self._read(figures, earlier), when, self._slower_than)
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
        track = self._tracks[revision] = _Track(reading, told)
        track.listen(reading, when, self._slower_than)
        return Tally() if resumed is None else track.told - told

    def _is_new(self, before: Page, page: Page, when: When) -> bool:
        """Whether the process began since the page before; uptime is in whole seconds, as of the last flush."""
        if before.uptime is None or page.uptime is None:
            return False
        passed = when.asked - self._when.answered
        if page.uptime < max(before.uptime, before.uptime + passed - LAG):
            return True
        fell = any(page.figures.get(r, _NOTHING).fell_below(f) for r, f in before.figures.items())
        return fell and page.uptime <= when.answered - self._when.asked + 1


def _past(reading: Reading) -> Tally:
    """All that a proxy told so far, taken at its word."""
    requests = reading.answered + reading.gone
    failed = min(requests, reading.errors + max(0, reading.cut) + max(0, reading.unsaid) + reading.gone)
    slow = reading.complete - reading.fast + max(0, reading.lost) + reading.gone if reading.judged else 0
    return Tally(
        requests=requests,
        failed=failed,
        attempts=requests + reading.retries,
        failed_attempts=failed + max(0, reading.retries - reading.refused),
        timed=reading.fast + slow,
        slow=slow,
        started=max(requests, reading.begun - reading.retries),
    )
