"""Steps that say what they do, can be repeated, and fail with one line of cause and one of remedy.

A step knows how to see cheaply whether its result is there already; that is all the state there is, so a run that was
interrupted resumes at the step it was in. Steps must therefore make their result appear at once (rename, commit, tag)
or be safe to run over a half-made one. Nothing here knows what the steps are about.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from rich.console import Console

from cluster.commands import Failure, Progress, command, interrupt_commands, probe
from cluster.display import Display, display_for

__all__ = [
    "Failure",
    "Outcome",
    "Progress",
    "Step",
    "command",
    "probe",
    "run_steps",
    "together",
]


@dataclass(frozen=True)
class Step:
    """One thing to do, and how to see that it is done.

    `done` is cheap (well under a second) and has no effect; True skips the step and shows it as already there.
    """

    title: str
    run: Callable[[Progress], None]
    done: Callable[[], bool]


@dataclass(frozen=True)
class Outcome:
    """What became of a step: how long it took in seconds, or that it was there already."""

    title: str
    seconds: float
    already: bool = False


def run_steps(steps: Sequence[Step], *, console: Console | None = None) -> list[Outcome]:
    """Run the steps in order and show them; the first failure ends the run.

    Raises `Failure` with the step's title filled in. On Ctrl-C every running command is ended before
    `KeyboardInterrupt` goes on to the caller.
    """
    with display_for(console or Console(highlight=False), len(steps)) as display:
        return [_run(step, display) for step in steps]


def _run(step: Step, display: Display) -> Outcome:
    began = time.monotonic()
    display.begin(step.title)
    try:
        if step.done():
            display.end("already")
            return Outcome(step.title, 0.0, already=True)
        display.work()
        step.run(display)
    except Failure as failure:
        display.end("failed")
        raise replace_step(failure, step.title) from failure.__cause__
    except KeyboardInterrupt:
        interrupt_commands()
        display.end("interrupted")
        raise
    except BaseException:
        display.end("failed")
        raise
    display.end("done")
    return Outcome(step.title, time.monotonic() - began)


def replace_step(failure: Failure, title: str) -> Failure:
    """Return the same failure, naming the step it happened in."""
    return Failure(failure.cause, failure.remedy, step=failure.step or title)


def together(*jobs: Callable[[], object]) -> None:
    """Run jobs at the same time, each in a thread; the first failure ends the commands of the others and is raised."""
    pool, whole = ThreadPoolExecutor(max_workers=max(1, len(jobs))), False
    try:
        futures = [pool.submit(job) for job in jobs]
        ended, others = wait(futures, return_when=FIRST_EXCEPTION)
        whole = not others
    finally:  # an interrupt may come before all of them are known here
        with nullcontext() if whole else _interrupting():
            pool.shutdown(cancel_futures=True)
    for future in ended:
        future.result()


@contextmanager
def _interrupting() -> Iterator[None]:
    """End commands as long as the block lasts: a job that was interrupted may have begun its next one."""
    over = threading.Event()

    def interrupt() -> None:
        while not over.wait(0.1):
            interrupt_commands()

    threading.Thread(target=interrupt, daemon=True).start()
    try:
        yield
    finally:
        over.set()
