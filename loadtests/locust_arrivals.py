"""Locustfile: users who arrive when they arrive (open: slow answers don't make them fewer).

Each process that makes load runs one Locust user, who is the door: the visitors come through it at times laid down
beforehand. Locust's own figures, and its page, count from when a visit was due.
"""

import time
from argparse import ArgumentParser
from typing import Any

from locust import LoadTestShape, User, constant, events, task
from locust.env import Environment
from locust.runners import LocalRunner, MasterRunner

from loadtests.arrivals import SPACINGS, Stage
from loadtests.generate import allow_connections, open_arrival
from loadtests.generator import OpenArrival
from loadtests.journeys import JOURNEYS
from loadtests.locust_records import Records, worker_of
from loadtests.plan import HOST, REQUESTS, Plan

_records = Records()
_records.listen()
_open: list[OpenArrival] = []  # what runs in this process


def _add_options(parser: ArgumentParser, **_: Any) -> None:  # noqa: ANN401 - whatever Locust adds
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long visitors arrive")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same arrival times")
    parser.add_argument("--spacing", choices=list(SPACINGS), default="poisson", help="gaps between the arrivals")
    parser.add_argument("--journey", choices=list(JOURNEYS), default="shopping", help="what a visitor does")


def _stop_arrivals(**_: Any) -> None:  # noqa: ANN401 - whatever Locust adds
    for arrivals in _open:
        arrivals.stop()


class Door(User):
    """Lets the visitors of one process in, until the last one is through; then he has nothing more to do."""

    host = HOST
    wait_time = constant(3600)

    @task
    def let_in(self) -> None:
        """Run all arrivals of this process."""
        plan = _plan(self.environment, self.host or HOST)
        allow_connections(plan.most_at_once)
        began = time.monotonic()
        arrivals = open_arrival(plan, _records.recorder, began=began, events=self.environment.events.request)
        _open.append(arrivals)
        try:
            arrivals.run()
        finally:
            _open.remove(arrivals)


class OneDoorEach(LoadTestShape):
    """One door a process for as long as the run lasts."""

    def tick(self) -> tuple[int, float] | None:
        """Number of doors, and how fast they are opened, a second."""
        runner = self.runner
        if not isinstance(runner, LocalRunner | MasterRunner) or runner.environment.parsed_options is None:
            return None
        if self.get_run_time() > runner.environment.parsed_options.seconds:  # type: ignore[no-untyped-call]
            return None
        return runner.worker_count, 100.0


def _plan(environment: Environment, host: str) -> Plan:
    options = environment.parsed_options
    if options is None or environment.runner is None:
        raise RuntimeError("Locust has no options: run it by its command line")
    rate = options.rate / REQUESTS[options.journey]
    return Plan(
        stages=(Stage(rate, options.seconds),),
        what=options.journey,
        spacing=options.spacing,
        seed=options.seed,
        host=host,
        worker=worker_of(environment),
        workers=max(1, options.processes or 1),
    )


events.init_command_line_parser.add_listener(_add_options)
events.test_stopping.add_listener(_stop_arrivals)
