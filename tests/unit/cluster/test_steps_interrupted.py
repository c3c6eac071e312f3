"""A real SIGINT, in each kind of thing a step does; then the same run again, which must finish."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.interrupting import hear_interrupts

PROGRAM = """
import sys, time
from pathlib import Path
from rich.console import Console
from cluster.cache import exclusive, fresh_folder
from cluster.commands import Failure, command
from cluster.steps import Step, run_steps, together

here, again = Path(sys.argv[1]), sys.argv[2] == "again"
seconds = "0" if again else "600"

def reached(name):
    (here / f"reached-{name}").touch()

def in_command(progress):
    script = f"echo $$ > {here}/pid; touch {here}/reached-command; sleep {seconds} & wait"
    command(["sh", "-c", script], progress=progress)
    (here / "command").touch()

def in_threads(progress):
    def job(name):
        script = f"echo $$ > {here}/pid-{name}; touch {here}/reached-threads; exec sleep {seconds}"
        command(["sh", "-c", script])
    together(lambda: job("a"), lambda: job("b"))
    (here / "threads").touch()

def in_folder(progress):
    with exclusive("folder"), fresh_folder(here / "folder") as folder:
        (folder / "half").touch()
        reached("folder")
        time.sleep(float(seconds))
        (folder / "whole").touch()

steps = [Step(f.__name__, f, (here / f.__name__[3:]).exists) for f in (in_command, in_threads, in_folder)]
try:
    run_steps(steps, console=Console(file=sys.stdout))
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("where", ["command", "threads", "folder"])
def test_ctrl_c_inside_a_step_leaves_no_process_and_no_half_made_result_and_the_next_run_resumes_there(
    where: str, tmp_path: Path
) -> None:
    for earlier in ("command", "threads", "folder"):
        if earlier == where:
            break
        (tmp_path / earlier).touch()
    with started(tmp_path, "first") as run:
        wait_for(lambda: (tmp_path / f"reached-{where}").exists() and pids_known(tmp_path, where))
        run.send_signal(signal.SIGINT)
        out, _ = run.communicate(timeout=30)
    assert run.returncode == 130
    assert f"in_{where}: interrupted after" in out
    assert not (tmp_path / where).exists()
    assert not list(tmp_path.glob(".folder-*"))
    for file in tmp_path.glob("pid*"):
        wait_for(lambda file=file: not group_lives(int(file.read_text())))  # type: ignore[misc]

    with started(tmp_path, "again") as again:
        out, _ = again.communicate(timeout=30)
    assert again.returncode == 0, out
    assert f"in_{where}: already there" not in out
    assert (tmp_path / "folder" / "whole").exists()
    for earlier in ("command", "threads", "folder"):
        if earlier == where:
            break
        assert f"in_{earlier}: already there" in out


@contextmanager
def started(folder: Path, turn: str) -> Iterator[subprocess.Popen[str]]:
    """The program; it ends with the test, whatever it was asked."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), turn],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=hear_interrupts,  # noqa: PLW1509 - sets a signal only
    ) as run:
        try:
            yield run
        finally:
            run.kill()


def pids_known(folder: Path, where: str) -> bool:
    wanted = {"command": ["pid"], "threads": ["pid-a", "pid-b"], "folder": []}[where]
    return all((folder / name).exists() and (folder / name).read_text().strip() for name in wanted)


def group_lives(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition: Callable[[], bool], within: float = 30) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
