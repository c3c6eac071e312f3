"""How phases, times and shares are written, on every screen alike."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from rich.table import Table
from rich.text import Text

from seatrial.api.revision import Attempt, Entry, Phase, Share
from seatrial.rollout.sentences import number

_COLORS = {
    "Ready": "green",
    "Succeeded": "green",
    "Starting": "cyan",
    "Shifting": "cyan",
    "Promoting": "cyan",
    "Paused": "yellow",
    "Queued": "yellow",
    "RollingBack": "red",
    "RolledBack": "red",
    "Failed": "red",
    "Aborted": "red",
    "Degraded": "red",
    "NotAccepted": "red",
}


def phase(name: str, *, paused: bool = False) -> Text:
    """A phase in its colour; `paused` where the spec holds it without its saying so."""
    shown = Text(name, style=_COLORS.get(name, ""))
    if paused and name != Phase.PAUSED.value:
        shown.append(" (paused)", style="yellow")
    return shown


def clock(stamped: str) -> str:
    """Time of day of a status' time stamp: UTC, to the second."""
    return datetime.fromisoformat(stamped).strftime("%H:%M:%S")


def date(stamped: str) -> str:
    """Day and time of day, UTC."""
    return datetime.fromisoformat(stamped).strftime("%b %d %H:%M:%S")


def between(start: str, end: str) -> str:
    """How long it was from one time stamp to another.

    >>> between("2026-11-21T10:00:00Z", "2026-11-21T10:00:06.4Z")
    '6.4 s'
    """
    return lasting((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())


def lasting(seconds: float) -> str:
    """A length of time as people say it.

    >>> lasting(6.4), lasting(83), lasting(4000)
    ('6.4 s', '1 min 23 s', '1 h 6 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def percent(share: Share) -> str:
    """The bad ones in percent; nothing where there was nothing."""
    return f"{number(100 * share.bad / share.total)} %" if share.total else ""


def counted(share: Share) -> str:
    """So many of so many."""
    return f"{share.bad:,} of {share.total:,}" if share.total else "none"


def points(value: float) -> str:
    """A difference in percent points, with its sign.

    >>> points(4.93), points(-0.5), points(0)
    ('+4.9', '-0.5', '0')
    """
    return f"{'+' if value > 0 else ''}{number(value)}"


def reasons(attempt: Attempt) -> Iterator[tuple[Entry, str]]:
    """The log with the reason of each line. The end of a way back has that of its beginning, and isn't said twice."""
    before = ""
    for entry in attempt.history:
        yield entry, "the proxies send it nothing any more" if entry.reason == before else entry.reason
        before = entry.reason


def table() -> Table:
    """Columns without lines between them."""
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")


def titled(rows: Iterable[tuple[str, str | Text]]) -> Table:
    """Sentences with a title in front of each, all titles of one width."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(min_width=8, no_wrap=True)
    grid.add_column()
    for title, said in rows:
        grid.add_row(Text(title, style="bold"), said if isinstance(said, Text) else Text(said))
    return grid
