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

from demo.rollout import SERVICE, Following
from demo.voyage import Finding
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
        attempt = following.revision.status.attempt if following.revision is not None else None
        if following.revision is None or attempt is None:
            return
        for entry in attempt.history[self._entries :]:
            style = _STYLES.get(entry.phase, "cyan")
            self.console.print(
                f"  [dim]{entry.at[11:19]}[/] [{style}]{entry.phase:<10}[/] {escape(entry.reason)}", highlight=False
            )
        self._entries = len(attempt.history)


def title(console: Console, text: str) -> None:
    """A line that says what comes."""
    console.print(f"\n[bold]{escape(text)}[/]", highlight=False)


def typed(console: Console, line: str) -> None:
    """A command line as it can be pasted: unbroken, and nothing in it is markup."""
    console.print(Text(f"  {line}"), soft_wrap=True)


def said(console: Console, text: str) -> None:
    """A line of what was done or seen."""
    console.print(f"  {escape(text)}", highlight=False, soft_wrap=True)


def summary(finding: Finding) -> RenderableType:
    """The readable end."""
    parts: list[RenderableType] = [_shares(finding), Text(), _facts(finding)]
    if finding.faults:
        parts += [Text(), *(Text(f"✘ {fault}", style="red") for fault in finding.faults)]
    return Padding(Group(*parts), (0, 0, 0, 2))


def next_steps(commands: Sequence[tuple[str, str]]) -> RenderableType:
    """What to type next, and why."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for command, purpose in commands:
        table.add_row(Text(command, style="bold"), Text(purpose, style="dim"))
    return Padding(table, (0, 0, 0, 2))


def _shares(finding: Finding) -> Table:
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
    for share in finding.shares:
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


def _facts(finding: Finding) -> Table:
    load = finding.load
    table = Table(box=None, show_header=False, pad_edge=False)
    for style in ("", "dim", ""):
        table.add_column(style=style)
    rate = load.total / load.seconds if load.seconds else 0.0
    lost = f"{len(load.lost)} of {load.total}, at {rate:.0f} a second"
    table.add_row(Text(*_mark(holds=not load.lost)), "lost requests", lost)
    for check in finding.checks:
        table.add_row(Text(*_mark(holds=check.holds)), check.title, check.seen)
    return table


def _picture(following: Following, load: Recording) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 1))
    revision = following.revision
    attempt = revision.status.attempt if revision is not None else None
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
