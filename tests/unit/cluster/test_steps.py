import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from rich.console import Console

from cluster.steps import Failure, Outcome, Progress, Step, command, run_steps, together


def plain() -> Console:
    return Console(file=io.StringIO(), width=120)


def terminal() -> Console:
    return Console(file=io.StringIO(), width=120, force_terminal=True)


def output(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def nothing(progress: Progress) -> None:
    pass


def never() -> bool:
    return False


def always() -> bool:
    return True


def test_steps_run_in_order_and_each_says_how_long_it_took() -> None:
    ran: list[str] = []
    steps = [Step(name, lambda _, name=name: ran.append(name), never) for name in ("first", "second")]  # type: ignore[misc]
    console = plain()
    outcomes = run_steps(steps, console=console)
    assert ran == ["first", "second"]
    assert [outcome.title for outcome in outcomes] == ran
    assert "[1/2] first …" in output(console)
    assert "[2/2] second: 0.0 s" in output(console)


def test_a_step_that_is_done_is_skipped_and_shown_as_already_there() -> None:
    console = plain()
    outcomes = run_steps([Step("made before", lambda _: pytest.fail("ran"), always)], console=console)
    assert outcomes == [Outcome("made before", 0.0, already=True)]
    assert output(console) == "[1/1] made before: already there\n"


def test_a_failure_ends_the_run_and_names_its_step() -> None:
    def fails(progress: Progress) -> None:
        raise Failure("no room", "make some")

    with pytest.raises(Failure) as failed:
        run_steps([Step("pack", fails, never), Step("sail", lambda _: pytest.fail("ran"), never)], console=plain())
    assert (failed.value.step, failed.value.cause, failed.value.remedy) == ("pack", "no room", "make some")


def test_what_a_step_says_stays_on_the_screen_of_both_kinds() -> None:
    for console in (plain(), terminal()):
        run_steps([Step("look", lambda progress: progress.say("land [ahead]"), never)], console=console)
        assert "land [ahead]" in output(console)


def test_a_known_amount_becomes_a_bar_on_a_terminal_and_no_bar_is_there_before() -> None:
    def load(progress: Progress) -> None:
        progress.advance(1, 4)

    counted, uncounted = terminal(), terminal()
    run_steps([Step("load", load, never)], console=counted)
    run_steps([Step("wait", nothing, never)], console=uncounted)
    assert "━" in output(counted)
    assert "━" not in output(uncounted)


def test_no_escape_sequence_is_written_where_there_is_no_terminal() -> None:
    console = plain()
    run_steps([Step("load", lambda progress: progress.advance(1, 2), never)], console=console)
    assert "\x1b" not in output(console)


def test_jobs_run_together() -> None:
    meeting = threading.Barrier(2, timeout=10)
    together(meeting.wait, meeting.wait)


def test_the_first_failure_of_jobs_run_together_ends_the_commands_of_the_others() -> None:
    def fails() -> None:
        raise Failure("one failed", "look")

    with pytest.raises(Failure, match="one failed"):
        together(fails, lambda: command(["sleep", "600"]))


def test_an_interrupt_while_jobs_are_still_being_started_ends_the_commands_of_those_that_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    submit = ThreadPoolExecutor.submit

    def interrupted(pool: ThreadPoolExecutor, job: Callable[[], object]) -> None:
        submit(pool, job)
        raise KeyboardInterrupt

    monkeypatch.setattr(ThreadPoolExecutor, "submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        together(lambda: command(["sleep", "600"]))
