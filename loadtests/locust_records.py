"""Joins Locust's runs with our records: every run that is started, by command line or by the web page, gets its own."""

import itertools
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from locust import events
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadtests.instant import Instant
from loadtests.recorder import Recorder

DEFAULT_FOLDER = Path("reports/load/locust")


class Records:
    """The record of the run that goes on in this process, and what it needs to know of Locust."""

    def __init__(self) -> None:
        self._recorder: Recorder | None = None
        self._runs = itertools.count(1)

    @property
    def recorder(self) -> Recorder:
        """The one of the present run."""
        if self._recorder is None:
            raise RuntimeError("no run has been started")
        return self._recorder

    def listen(self) -> None:
        """Hear of Locust's options, and of the beginning and the end of each run."""
        events.init_command_line_parser.add_listener(_add_option)
        events.test_start.add_listener(self._start)
        events.test_stop.add_listener(self._stop)

    def _start(self, environment: Environment, **_: Any) -> None:  # noqa: ANN401 - whatever Locust adds
        if isinstance(environment.runner, MasterRunner):
            return
        number = next(self._runs)
        worker = worker_of(environment)
        self._recorder = Recorder(_folder(environment) / f"run-{number}" / f"worker-{worker}.jsonl")
        self._recorder.begin(Instant.now(), {"host": environment.host, "worker": worker})

    def _stop(self, environment: Environment, **_: Any) -> None:  # noqa: ANN401, ARG002 - Locust's signature
        if self._recorder is not None:
            self._recorder.close()


def worker_of(environment: Environment) -> int:
    """Number of this process among those that make load, from 0."""
    runner = environment.runner
    return runner.worker_index if isinstance(runner, WorkerRunner) else 0


def _add_option(parser: ArgumentParser, **_: Any) -> None:  # noqa: ANN401 - whatever Locust adds
    parser.add_argument(
        "--records",
        default=str(DEFAULT_FOLDER),
        include_in_web_ui=False,
        help="folder for the records of the runs",
    )


def _folder(environment: Environment) -> Path:
    options = environment.parsed_options
    return Path(options.records) if options is not None else DEFAULT_FOLDER
