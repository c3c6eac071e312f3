"""What the spectators see: lines that stay, a picture that lives where there is a terminal, and the summary."""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from demo.edits import SERVICE
from demo.rollout import Following
from demo.voyage import Check, Promotion, Rescue
from loadtests import Recording
from seatrial.api.revision import Phase

_BAR = 24  # characters for 100 %
_RECENT = 5.0  # seconds of traffic in the live picture
_TELL = 5.0  # seconds between two lines about the traffic, where nothing lives
_STYLES = {Phase.SUCCEEDED: "green", Phase.ROLLED_BACK: "red", Phase.FAILED: "red", Phase.ROLLING_BACK: "yellow"}


class Screen:
    """Shows the rollout while it goes on."""

    def __init__(self, console: Console, *, live: bool) -> None:
        self.console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True) if live else None
        self._told = 0.0
        self._entries = 0

    def __enter__(self) -> Self:
        (self._live or nullcontext()).__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, following: Following, load: Recording) -> None:
        """Show the present state; what is new in the Revision's history stays on the screen."""
        self._log(following)
        if self._live is not None:
            self._live.update(_picture(following, load))
        elif time.monotonic() - self._told >= _TELL and load.total:
            self._told = time.monotonic()
            self.console.print(f"           {_traffic(load)}", style="dim", highlight=False)

    def _log(self, following: Following) -> None:
        attempt = following.attempt
        if attempt is None:
            return
        told = [""] + [entry.reason for entry in attempt.history]
        for entry, before in list(zip(attempt.history, told, strict=False))[self._entries :]:
            phase = Text(entry.phase, style=_STYLES.get(entry.phase, "cyan"))
            line = Table.grid(padding=(0, 1))
            line.add_column(style="dim", no_wrap=True)
            line.add_column(min_width=11, no_wrap=True)
            line.add_row(
                entry.at[11:19],
                phase,
                Text(entry.reason if entry.reason != before else "the proxies send it nothing any more"),
            )
            self.console.print(Padding(line, (0, 0, 0, 2)))
        self._entries = len(attempt.history)


def title(console: Console, text: str) -> None:
    """A line that says what comes."""
    console.print(f"\n[bold]{escape(text)}[/]", highlight=False)


def typed(console: Console, *lines: str) -> None:
    """A command as it can be pasted: no line of it is broken, and nothing in it is markup."""
    for line in lines:
        console.print(Text(f"  {line}"), soft_wrap=True)


def said(console: Console, text: str) -> None:
    """A line of what was done or seen."""
    console.print(f"  {escape(text)}", highlight=False, soft_wrap=True)


def promotion(found: Promotion) -> RenderableType:
    """How the good revision got its traffic, why each time, and what users noticed of it."""
    load = found.load
    rate = load.total / load.seconds if load.seconds else 0.0
    lost = f"{len(load.lost)} of {load.total:,}, at {rate:.0f} a second"
    facts = _facts([("lost requests", lost, not load.lost)])
    return _indented(_shares(found), Text(), _table(*found.reasons), Text(), facts)


def checked(checks: Sequence[Check]) -> RenderableType:
    """What the mesh refuses, and whom it lets in."""
    return _indented(_facts([(check.title, check.seen, check.holds) for check in checks]))


def rescue(found: Rescue) -> RenderableType:
    """How the bad revision was taken back, and whom it harmed."""
    after = f"{found.after:.1f} s after its first request" if found.after is not None else "it got no request"
    harm = f"{found.harmed} of {found.total:,} requests failed; {found.revision} took part in {found.answered}"
    since = found.since
    return _indented(
        _facts(
            [
                ("decision", found.decision or "none", found.phase is Phase.ROLLED_BACK),
                ("taken back", after, found.after is not None),
                ("for users", harm, True),
                ("lost besides", f"{len(found.lost)} of {found.total - found.harmed:,}", not found.lost),
                ("since then", f"stable got {since.total - since.count:,} of {since.total:,} calls", since.fits),
            ]
        )
    )


def faults(sentences: Sequence[str]) -> RenderableType:
    """All that doesn't hold."""
    return _indented(*(Text(line, style="red") for line in ("", *(f"✘ {sentence}" for sentence in sentences))))


def next_steps(commands: Sequence[tuple[str, str]]) -> RenderableType:
    """What to type next, and why."""
    return _indented(_table(*((Text(command, style="bold"), purpose) for command, purpose in commands), titles=1))


def _indented(*parts: RenderableType) -> RenderableType:
    return Padding(Group(*parts), (0, 0, 0, 2))


def _shares(found: Promotion) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name, justify in (
        ("", "left"),
        ("asked for", "right"),
        ("seen", "right"),
        ("", "left"),
        ("calls", "right"),
        ("chance allows", "right"),
    ):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for share in found.shares:
        filled = round(_BAR * share.percent / 100)
        table.add_row(
            Text(*_mark(holds=share.fits)),
            f"{share.weight} %",
            f"{share.percent:.1f} %",
            Text.assemble(("█" * filled, "cyan"), ("░" * (_BAR - filled), "dim")),
            f"{share.count} of {share.total}",
            str(share.bound),
        )
    return table


def _facts(facts: Sequence[tuple[str, str, bool]]) -> Table:
    """Title, what was seen of it, and whether it is as it must be."""
    return _table(*((Text(*_mark(holds=holds)), title, seen) for title, seen, holds in facts), titles=1)


def _table(*rows: Sequence[str | Text], titles: int = 0) -> Table:
    """Rows without a frame; the column of titles is dim."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for number in range(max((len(row) for row in rows), default=0)):
        table.add_column(style="dim" if number == titles else "", no_wrap=number == titles)
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return table


def _picture(following: Following, load: Recording) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 1))
    revision, attempt = following.revision, following.attempt
    if revision is None or attempt is None:
        table.add_row("revision", Text("the operator hasn't told of it yet", style="dim"))
    else:
        weight = attempt.weight
        state = f"{revision.metadata.name}  {attempt.phase}  wanted {weight.wanted} %, verified {weight.verified} %"
        table.add_row("rollout", Text(state, style="bold"))
        table.add_row("", Text(revision.status.message, style="dim", overflow="ellipsis", no_wrap=True))
    recent = load.between(time.time() - _RECENT, time.time())
    split = recent.split(SERVICE)
    for number in sorted(split.counts):
        filled = round(_BAR * split.percent(number) / 100)
        bar = Text.assemble(("█" * filled, "cyan"), ("░" * (_BAR - filled), "dim"), f" {split.percent(number):5.1f} %")
        table.add_row(f"r{number}", bar)
    table.add_row("load", Text(_traffic(load)))
    return Padding(table, (1, 0, 0, 1))


def _traffic(load: Recording) -> str:
    if not load.total:
        return "no answer yet"
    recent = load.between(load.requests[-1].ended - _RECENT, load.requests[-1].ended)
    split = recent.split(SERVICE)
    revisions = ", ".join(f"r{number} {split.percent(number):.0f} %" for number in sorted(split.counts))
    p99 = f", p99 {1000 * recent.percentile(99):.0f} ms" if recent.total else ""
    return f"{load.total} requests, {len(load.lost)} lost{p99}; {SERVICE}: {revisions or 'no call yet'}"


def _mark(*, holds: bool) -> tuple[str, str]:
    return ("✔", "green") if holds else ("✘", "red")
