import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cluster import sequence
from cluster.__main__ import main
from cluster.commands import Failure
from cluster.host import Engine, Facts
from cluster.ports import Listener

GOOD = Facts(docker_cli="/usr/bin/docker", dockerd="/usr/bin/dockerd", engine=Engine("29.1.3", Path("/"), cgroup=2))


@pytest.fixture(autouse=True)
def process_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`main` owns its process, and here it shares one."""
    monkeypatch.setenv("PATH", os.environ["PATH"])
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def nothing_may_change(monkeypatch: pytest.MonkeyPatch) -> None:
    def steps(*_: object, **__: object) -> None:
        raise AssertionError("a step was run")

    monkeypatch.setattr(sequence, "run_steps", steps)


@pytest.mark.parametrize(
    "bad",
    [
        replace(GOOD, listener=Listener(4711, "nginx")),
        replace(GOOD, memory_available=1 << 30),
        replace(GOOD, docker_disk_free=1 << 30),
        replace(GOOD, engine=None, root=False, engine_error="permission denied while trying to connect"),
    ],
    ids=["port taken", "little memory", "little disk", "no permission on the socket"],
)
def test_what_blocks_is_said_in_the_last_two_lines_before_anything_is_changed(
    bad: Facts, nothing_may_change: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sequence, "read_facts", lambda: bad)
    assert main(["up"]) == 1
    cause, remedy = capsys.readouterr().err.rstrip().splitlines()[-2:]
    assert cause.startswith("✘ Check the machine: ")
    assert remedy.startswith("  → ")


def test_the_doctor_exits_with_1_where_something_blocks_and_with_0_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sequence, "read_facts", lambda: GOOD)
    assert main(["doctor"]) == 0
    monkeypatch.setattr(sequence, "read_facts", lambda: replace(GOOD, listener=Listener(4711, "nginx")))
    assert main(["doctor"]) == 1
    assert "kill 4711" in capsys.readouterr().out


def test_an_interrupt_says_that_the_same_command_resumes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> Facts:
        raise KeyboardInterrupt

    monkeypatch.setattr(sequence, "read_facts", interrupted)
    assert main(["up"]) == 130
    assert "resumes at this step" in capsys.readouterr().err


def test_without_a_cluster_there_is_nothing_to_remove(
    nothing_may_change: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sequence, "read_facts", lambda: GOOD)
    assert main(["down"]) == 0
    assert "no cluster" in capsys.readouterr().out


def test_a_cluster_that_a_stopped_docker_may_hold_is_not_said_to_be_gone(
    nothing_may_change: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sequence, "read_facts", lambda: replace(GOOD, engine=None))
    assert main(["down"]) == 1
    assert "Docker does not run" in capsys.readouterr().err


def test_a_failure_inside_a_step_names_the_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> Facts:
        raise Failure("no room", "make some", step="Pack")

    monkeypatch.setattr(sequence, "read_facts", fails)
    assert main(["up"]) == 1
    assert capsys.readouterr().err == "\n✘ Pack: no room\n  → make some\n"
