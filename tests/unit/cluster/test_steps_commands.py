import os
import time
from pathlib import Path

import pytest

from cluster.commands import Failure, await_true, command, probe, telling_line


def test_a_command_gives_its_output_without_its_errors() -> None:
    assert command(["sh", "-c", "echo out; echo err >&2"]) == "out\n"


def test_a_failed_command_names_the_line_that_tells_and_the_log_that_has_all() -> None:
    script = "echo begin; echo 'error: no space left' >&2; echo 'exiting now' >&2; exit 4"
    with pytest.raises(Failure) as failed:
        command(["sh", "-c", script])
    assert failed.value.cause == "sh: error: no space left"
    log = Path(failed.value.remedy.split()[1].rstrip(","))
    assert "begin" in log.read_text()
    assert "exiting now" in log.read_text()
    assert "exit code 4" in log.read_text()


def test_a_program_that_is_not_there_is_a_failure_with_a_remedy() -> None:
    with pytest.raises(Failure) as failed:
        command(["no-such-program"])
    assert "install no-such-program" in failed.value.remedy


def test_a_command_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pytest.raises(Failure, match="did not end within"):
        command(["sh", "-c", f"sleep 600 & echo $! > {pid_file}; wait"], timeout=1)
    await_true(lambda: not is_alive(int(pid_file.read_text())), "the child lived on", "")


def test_a_command_reads_what_it_is_given_and_sees_what_is_added_to_its_environment() -> None:
    assert command(["sh", "-c", 'cat; echo "$SAIL"'], input=b"in\n", env={"SAIL": "set"}) == "in\nset\n"


def test_each_line_of_both_outputs_is_seen_as_it_comes() -> None:
    seen: list[str] = []
    command(["sh", "-c", "echo one; echo two >&2"], on_line=seen.append)
    assert sorted(seen) == ["one", "two"]


def test_a_child_that_keeps_the_output_open_does_not_hold_the_command_up(tmp_path: Path) -> None:
    began = time.monotonic()
    answer = command(["sh", "-c", "setsid sleep 5 & echo done"])
    assert answer == "done\n"
    assert time.monotonic() - began < 4


def test_a_probe_answers_nothing_when_its_program_fails_or_is_not_there_or_is_slow() -> None:
    assert probe(["echo", "ay"]) == "ay\n"
    assert probe(["false"]) is None
    assert probe(["no-such-program"]) is None
    assert probe(["sleep", "600"], timeout=0.1) is None


def test_the_telling_line_is_the_last_that_names_an_error_else_the_last() -> None:
    assert telling_line(["a", "Error: b", "see the manual", ""]) == "Error: b"
    assert telling_line(["a", "b", ""]) == "b"
    assert telling_line(["", " "]) is None


def test_waiting_ends_with_a_failure_at_its_deadline() -> None:
    with pytest.raises(Failure, match="it never came"):
        await_true(lambda: False, "it never came", "wait longer", within=0.05, every=0.01)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
