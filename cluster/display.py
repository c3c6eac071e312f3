"""What the user sees of steps: on a terminal a line that lives, elsewhere plain lines that a log can keep."""

import time
from types import TracebackType
from typing import Literal, Protocol, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from cluster.commands import Progress as StepProgress

Ending = Literal["done", "already", "failed", "interrupted"]

_QUIET = 15.0  # seconds between two lines about the same amount, in a log
_MARKS = {"done": "[green]✔[/]", "already": "[green]✔[/]", "failed": "[red]✘[/]", "interrupted": "[yellow]■[/]"}


class Display(StepProgress, Protocol):
    """Progress of one step after the other."""

    def __enter__(self) -> Self:
        """Take the screen."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the screen back."""

    def begin(self, title: str) -> None:
        """Show that a step is looked at."""

    def work(self) -> None:
        """Show that it is not there and work begins."""

    def end(self, how: Ending) -> None:
        """Show how the step that began last ended."""


def display_for(console: Console, steps: int) -> Display:
    """Choose the display for where the output goes."""
    return _Live(console, steps) if console.is_terminal else _Plain(console, steps)


class _Base:
    def __init__(self, console: Console, steps: int) -> None:
        self._console = console
        self._steps = steps
        self._number = 0
        self._title = ""
        self._began = 0.0

    def _next(self, title: str) -> None:
        self._number += 1
        self._title = title
        self._began = time.monotonic()

    def _count(self) -> str:
        return f"{self._number:>{len(str(self._steps))}}/{self._steps}"

    def _ending(self, how: Ending) -> str:
        if how == "already":
            return "already there"
        elapsed = time.monotonic() - self._began
        return f"{elapsed:.1f} s" if how == "done" else f"{how} after {elapsed:.1f} s"


class _Plain(_Base):
    """A line when a step begins, one when it ends, and a few between."""

    def __init__(self, console: Console, steps: int) -> None:
        super().__init__(console, steps)
        self._told = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def begin(self, title: str) -> None:
        self._next(title)

    def work(self) -> None:
        self._told = time.monotonic()
        self._print(f"[{self._count()}] {self._title} …")

    def end(self, how: Ending) -> None:
        self._print(f"[{self._count()}] {self._title}: {self._ending(how)}")

    def say(self, text: str) -> None:
        self._print(f"      {text}")

    def advance(self, done: int, total: int) -> None:
        if self._due():
            self._print(f"      {done} of {total}")

    def tail(self, line: str) -> None:
        if self._due():
            self._print(f"      {time.monotonic() - self._began:.0f} s: {line[:100]}")

    def _due(self) -> bool:
        now = time.monotonic()
        due = now - self._told >= _QUIET
        if due:
            self._told = now
        return due

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)


class _AmountColumn(ProgressColumn):
    """A bar once the amount is known, nothing before."""

    def __init__(self) -> None:
        super().__init__()
        self._bar = BarColumn(bar_width=24)

    def render(self, task: Task) -> Text | object:  # type: ignore[override]
        if task.total is None:
            return Text()
        return self._bar.render(task)


class _Live(_Base):
    """The running step with a spinner, a bar and its latest line; what is over stands above it."""

    def __init__(self, console: Console, steps: int) -> None:
        super().__init__(console, steps)
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            _AmountColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[line]}", table_column=None),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, line="", visible=False)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def begin(self, title: str) -> None:
        self._next(title)
        self._bar.remove_task(self._task)
        self._task = self._bar.add_task(f"[dim]{self._count()}[/] {escape(title)}", total=None, line="")

    def work(self) -> None:
        pass  # the spinner is there since the step is looked at

    def end(self, how: Ending) -> None:
        self._bar.update(self._task, visible=False, refresh=True)
        self._console.print(
            f"{_MARKS[how]} [dim]{self._count()}[/] {escape(self._title)} [dim]{self._ending(how)}[/]", highlight=False
        )

    def say(self, text: str) -> None:
        self._console.print(f"        [dim]{escape(text)}[/]", highlight=False)

    def advance(self, done: int, total: int) -> None:
        known = self._bar.tasks[-1].total == total
        self._bar.update(self._task, completed=done, total=total, refresh=not known)

    def tail(self, line: str) -> None:
        room = max(10, self._console.width - len(self._title) - 48)
        self._bar.update(self._task, line=escape(line[:room]))
