"""Running other programs: their whole output goes to a log, and a failure says what it was and where to read on.

A command runs in a process group of its own. So Ctrl-C reaches this process alone, which then ends its commands in
order and leaves none behind.
"""

import contextlib
import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import count
from pathlib import Path
from typing import IO, Protocol

from cluster.cache import cache_root

_KEPT_RUNS = 20
# How a command is asked to end, and the seconds it gets each time. What ignores SIGINT (a shell's background jobs do)
# is asked again as soon as its leader is gone.
_ASKING = ((signal.SIGINT, 10.0), (signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0))

_running: set[subprocess.Popen[bytes]] = set()
_guard = threading.Lock()
_numbers = count(1)


class Failure(Exception):  # noqa: N818 - it is what the user reads, not an error of ours
    """Something can't go on: why, and what to do about it, in one line each."""

    def __init__(self, cause: str, remedy: str, *, step: str | None = None) -> None:
        super().__init__(f"{cause} -> {remedy}")
        self.cause = cause
        self.remedy = remedy
        self.step = step


class Progress(Protocol):
    """What a step tells about itself while it runs. All three may be called from any thread."""

    def say(self, text: str) -> None:
        """Tell something worth keeping on the screen."""

    def advance(self, done: int, total: int) -> None:
        """Tell how much of a known amount is done; it becomes a bar."""

    def tail(self, line: str) -> None:
        """Show the last line of a command's output, until the next."""


def command(  # noqa: PLR0913 - each is a thing a caller of a program may want to say
    argv: Sequence[str | Path],
    *,
    progress: Progress | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    input: bytes | None = None,  # noqa: A002 - the name subprocess has for it
    on_line: Callable[[str], None] | None = None,
    timeout: float | None = None,
) -> str:
    """Run a program and return its standard output.

    `env` is added to this process's environment. `on_line` sees each line of both outputs as it comes. Raises
    `Failure` when the program isn't there, exits with another code than 0, or runs for more than `timeout` seconds.
    """
    words = [str(word) for word in argv]
    log_path = _log_folder() / f"{next(_numbers):03d}-{Path(words[0]).name}.log"
    log_path.parent.mkdir(parents=True, exist_ok=True)  # later runs drop the oldest folders, also one still in use
    with log_path.open("w", encoding="utf-8") as log:
        log.write(f"$ {shlex.join(words)}\n")
        log.flush()
        process = _start(words, cwd=cwd, env=env, with_input=input is not None)
        output = _Output(log, progress, on_line)
        expired = threading.Event()
        timer = threading.Timer(timeout or 0, _expire, (process, expired))
        if timeout is not None:
            timer.start()
        try:
            output.read(process, input)
        finally:
            timer.cancel()
            if process.poll() is None:
                _end(process)
            with _guard:
                _running.discard(process)
            log.write(f"exit code {process.returncode}\n")
    if expired.is_set():
        raise Failure(f"{_name(words)} did not end within {timeout:g} s", f"read {log_path}, then run it again")
    if process.returncode != 0:
        told = telling_line(output.errors) or telling_line(output.lines) or f"exit code {process.returncode}"
        raise Failure(f"{_name(words)}: {told}", f"read {log_path}, then run it again")
    return "".join(f"{line}\n" for line in output.lines)


def probe(argv: Sequence[str | Path], *, timeout: float = 10, env: Mapping[str, str] | None = None) -> str | None:
    """Ask a program something cheap: its standard output, or None when it isn't there, fails, or takes too long."""
    try:
        answer = subprocess.run(
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
            env=None if env is None else {**os.environ, **env},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.decode(errors="replace") if answer.returncode == 0 else None


def await_true(
    condition: Callable[[], bool], cause: str, remedy: str, *, within: float = 60, every: float = 0.3
) -> None:
    """Wait until the condition holds; raises `Failure` with `cause` and `remedy` after `within` seconds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise Failure(f"{cause} within {within:g} s", remedy)
        time.sleep(every)


def telling_line(lines: Sequence[str]) -> str | None:
    """Pick the line that says most about a failure: the last that names an error, else the last that isn't empty."""
    spoken = [line.strip() for line in lines if line.strip()]
    for line in reversed(spoken):
        if any(word in line.lower() for word in ("error", "fatal", "failed", "cannot", "denied", "no such")):
            return line[:300]
    return spoken[-1][:300] if spoken else None


def interrupt_commands() -> None:
    """End every running command, whichever thread started it."""
    with _guard:
        running = list(_running)
    for process in running:
        _end(process)


class _Output:
    """Both outputs of a process, read as they come."""

    def __init__(self, log: IO[str], progress: Progress | None, on_line: Callable[[str], None] | None) -> None:
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._log = log
        self._progress = progress
        self._on_line = on_line
        self._lock = threading.Lock()

    def read(self, process: subprocess.Popen[bytes], given: bytes | None) -> None:
        readers = [
            threading.Thread(target=self._follow, args=(process.stdout, self.lines), daemon=True),
            threading.Thread(target=self._follow, args=(process.stderr, self.errors), daemon=True),
        ]
        for reader in readers:
            reader.start()
        if given is not None and process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), process.stdin:
                process.stdin.write(given)
        process.wait()
        for reader in readers:
            reader.join(timeout=1)  # a daemon left behind may hold the pipe open for ever

    def _follow(self, stream: IO[bytes], lines: list[str]) -> None:
        with stream:
            for raw in stream:
                line = raw.decode(errors="replace").rstrip("\r\n")
                with self._lock:
                    self._take(line, lines)

    def _take(self, line: str, lines: list[str]) -> None:
        lines.append(line)
        if not self._log.closed:
            self._log.write(f"{line}\n")
            self._log.flush()
        if self._on_line:
            self._on_line(line)
        if self._progress and line.strip():
            self._progress.tail(line.strip())


def _start(
    words: list[str], *, cwd: Path | None, env: Mapping[str, str] | None, with_input: bool
) -> subprocess.Popen[bytes]:
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE if with_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=None if env is None else {**os.environ, **env},
            process_group=0,
        )
    except FileNotFoundError as missing:
        raise Failure(f"{words[0]} is not there", f"install {Path(words[0]).name} or put it on PATH") from missing
    except PermissionError as refused:
        raise Failure(f"{words[0]} may not be run", f"check the permissions of {words[0]}") from refused
    with _guard:
        _running.add(process)
    return process


def _expire(process: subprocess.Popen[bytes], expired: threading.Event) -> None:
    expired.set()
    _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process's whole group: asked twice, then forced. Children may outlive their leader, so all are asked."""
    for sign, grace in _ASKING:
        deadline = time.monotonic() + grace
        if not _reach(process, sign):
            return
        while time.monotonic() < deadline and not (sign is signal.SIGINT and process.poll() is not None):
            time.sleep(0.02)
            process.poll()
            if not _reach(process, 0):
                return


def _reach(process: subprocess.Popen[bytes], sign: int) -> bool:
    """Send a signal to the process's group; False when nobody is left in it."""
    try:
        os.killpg(process.pid, sign)
    except ProcessLookupError:
        return False
    return True


def _name(words: Sequence[str]) -> str:
    verb = words[1] if len(words) > 1 and words[1].replace("-", "").isalpha() else ""
    return f"{Path(words[0]).name} {verb}".strip() if not verb.startswith("-") else Path(words[0]).name


def _last_written(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:  # another run dropped it
        return 0.0


@cache
def _log_folder() -> Path:
    """Make the folder of this run's logs; the oldest runs' folders are dropped."""
    logs = cache_root() / "logs"
    folder = logs / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(logs.iterdir(), key=_last_written)[:-_KEPT_RUNS]:
        with contextlib.suppress(OSError):  # another run drops it too, or writes into it
            for file in old.iterdir():
                file.unlink(missing_ok=True)
            old.rmdir()
    return folder
