"""Load for tests and for the demo: runs beside whatever they do, in processes of its own.

Locust patches the standard library for gevent, which no asyncio program survives; so the generator is a child process,
and what passes between the two is its record file. The child begins when we say so, and ends when we do or are gone.

    with open_load(rate=50, path="/api/v1/catalog") as load:
        …
        load.snapshot().lost
    result = load.stop()
    assert not result.lost
    assert result.between(start, end).split("orders").fits(revision=2, percent=25)

Every wait here blocks: call `stop` and `wait` by `asyncio.to_thread` where an event loop must go on.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypedDict, Unpack

from loadtests.arrivals import Spacing, Stage
from loadtests.instant import Instant
from loadtests.plan import Ask, Plan, arguments
from loadtests.record import Reader, Recording, merge
from loadtests.served_by import HEADER as SERVED_BY

__all__ = ["SERVED_BY", "LoadError", "OpenLoad", "open_load"]

_BEGIN = 60.0  # seconds that a generator may take to be ready, on a machine that is busy with a cluster
_ROOT = Path(__file__).parents[1]


class LoadError(RuntimeError):
    """The generator itself failed; the message holds what it said."""


class OpenLoad:
    """A load that runs in the background from `__enter__` to `stop`."""

    def __init__(self, plan: Plan, *, workers: int = 1, folder: Path | None = None) -> None:
        self.plan = plan
        self._workers = workers
        self._folder = folder
        self._children: list[subprocess.Popen[str]] = []
        self._readers: list[Reader] = []
        self._errors: list[IO[str]] = []
        self._keep = ExitStack()
        self._result: Recording | None = None

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.callback(self._end_children)
            self._start()
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.stop()
        else:
            self._end_children()

    def snapshot(self) -> Recording:
        """All requests that are over by now."""
        if self._result is not None:
            return self._result
        self._check()
        for reader in self._readers:
            reader.poll()
        return merge(reader.recording() for reader in self._readers)

    def until(self, enough: Callable[[Recording], bool], *, within: float) -> Recording:
        """Wait until the record satisfies `enough`; `TimeoutError` after `within` seconds."""
        deadline = time.monotonic() + within
        while not enough(seen := self.snapshot()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {within:g} s; {seen.total} requests, {len(seen.lost)} lost so far")
            time.sleep(0.05)
        return seen

    def wait(self) -> Recording:
        """Wait for a load of limited length to end by itself."""
        ends = sum(stage.seconds for stage in self.plan.stages)
        return self._finish(ends + self._grace)

    def stop(self) -> Recording:
        """Let no further request begin, wait for those under way, and give the whole record. May be called again."""
        for child in self._children:
            if child.stdin is not None:
                with suppress(BrokenPipeError):
                    child.stdin.close()
        return self._finish(self._grace)

    @property
    def _grace(self) -> float:
        return self.plan.timeout + 10.0

    def _start(self) -> None:
        folder = self._folder
        if folder is None:
            folder = Path(self._keep.enter_context(tempfile.TemporaryDirectory(prefix="seatrial-load-"))).resolve()
        for worker in range(self._workers):
            plan = replace(self.plan, worker=worker, workers=self._workers, record=folder / f"worker-{worker}.jsonl")
            said = self._keep.enter_context((folder / f"worker-{worker}.log").open("w+", encoding="utf-8"))
            self._errors.append(said)
            self._readers.append(Reader(plan.record))
            self._children.append(
                subprocess.Popen(
                    [sys.executable, "-m", "loadtests", "open", "--driven", *arguments(plan)],
                    cwd=_ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    text=True,
                )
            )
        self._wait_for(lambda: all(reader.path.exists() for reader in self._readers))
        begin = Instant.now(later=0.05)
        for child in self._children:
            if child.stdin is not None:
                child.stdin.write(f"{begin}\n")
                child.stdin.flush()
        self._wait_for(lambda: all(self._begun()))

    def _begun(self) -> list[bool]:
        for reader in self._readers:
            reader.poll()
        return [reader.begun for reader in self._readers]

    def _wait_for(self, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _BEGIN
        while not happened():
            self._check()
            if time.monotonic() > deadline:
                raise LoadError(f"the load generator wasn't ready within {_BEGIN:g} s")
            time.sleep(0.02)

    def _finish(self, within: float) -> Recording:
        if self._result is not None:
            return self._result
        deadline = time.monotonic() + within
        try:
            for child in self._children:
                child.wait(max(0.0, deadline - time.monotonic()))
            self._result = self.snapshot()
        except subprocess.TimeoutExpired as late:
            raise LoadError("the load generator didn't end in time") from late
        finally:
            self._end_children()
        return self._result

    def _check(self) -> None:
        """Raise what a generator said when it died."""
        for child, said in zip(self._children, self._errors, strict=True):
            if child.poll():
                said.seek(0)
                lines = said.read().strip()
                raise LoadError(f"the load generator ended with {child.returncode}: {lines or 'without a word'}")

    def _end_children(self) -> None:
        for child in self._children:
            if child.poll() is None:
                child.kill()
            if child.stdin is not None:
                with suppress(BrokenPipeError):
                    child.stdin.close()
            child.wait()
        self._keep.close()


class Settings(TypedDict, total=False):
    """The less common settings of `open_load`; see `Plan`."""

    spacing: Spacing
    seed: int
    host: str
    headers: tuple[tuple[str, str], ...]
    timeout: float
    most_at_once: int


def open_load(  # noqa: PLR0913 - most calls give two or three
    *,
    rate: float | None = None,
    duration: float = float("inf"),
    stages: Sequence[Stage] = (),
    path: str | None = None,
    ask: Ask | None = None,
    journey: str | None = None,
    workers: int = 1,
    folder: Path | None = None,
    **settings: Unpack[Settings],
) -> OpenLoad:
    """Describe a load; `with` starts it.

    `rate` arrivals a second for `duration` seconds (without it until `stop`), or `stages`. Each arrival makes a GET of
    `path`, or the request `ask`, or the `journey` of that name. Same seed, same arrival times. The record files are
    kept in `folder`; without one they are gone with the load.
    """
    if (rate is None) == (not stages):
        raise ValueError("say either rate or stages")
    wanted = [what for what in (Ask(path) if path is not None else None, ask, journey) if what is not None]
    if len(wanted) != 1:
        raise ValueError("say one of path, ask and journey")
    laid = tuple(stages) if rate is None else (Stage(rate, duration),)
    return OpenLoad(Plan(stages=laid, what=wanted[0], **settings), workers=workers, folder=folder)
