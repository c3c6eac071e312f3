"""The process that makes an open load: `python -m loadtests open` (gevent)."""

import os
import resource
import signal
import sys
from functools import partial

import gevent
from gevent.socket import wait_read
from locust.event import EventHook

from loadtests.answers import Answer, status
from loadtests.arrivals import arrivals, share
from loadtests.generator import Journey, OpenArrival
from loadtests.instant import Instant
from loadtests.journeys import JOURNEYS
from loadtests.plan import Ask, Plan
from loadtests.recorder import Recorder
from loadtests.visitor import Visitor, pool, session


def generate(plan: Plan, *, driven: bool) -> None:
    """Make the load and its record.

    A driven one reads from stdin when to begin (an `Instant`), and stops when stdin closes; so no load outlives the
    test that asked for it. Ctrl-C and SIGTERM stop any.
    """
    allow_connections(plan.most_at_once)
    journey_of(plan.what)  # says what is wrong before anyone waits for the beginning
    with Recorder(plan.record) as recorder:
        line = sys.stdin.readline() if driven else str(Instant.now())
        if not line:
            return  # who drives us went away before the beginning
        began = Instant.read(line)
        recorder.begin(began, plan.about)
        load = open_arrival(plan, recorder, began=began.monotonic, events=EventHook())
        gevent.signal_handler(signal.SIGTERM, load.stop)
        gevent.signal_handler(signal.SIGINT, load.stop)
        if driven:
            gevent.spawn(_stop_at_end_of_input, load)
        load.run()


def open_arrival(plan: Plan, recorder: Recorder, *, began: float, events: EventHook) -> OpenArrival:
    """Put a run of the plan together; Locust's statistics listen to `events`."""
    connections = pool(concurrency=plan.most_at_once, timeout=plan.timeout)

    def welcome(number: int, due: float) -> Visitor:
        http = session(plan.host, events, connections, plan.headers)
        return Visitor(http, recorder, number=number, intended=due, timeout=plan.timeout)

    return OpenArrival(
        share(arrivals(plan.stages, spacing=plan.spacing, seed=plan.seed), worker=plan.worker, workers=plan.workers),
        began=began,
        welcome=welcome,
        journey=journey_of(plan.what),
        most_at_once=plan.most_at_once,
    )


def journey_of(what: Ask | str) -> Journey:
    """What every arrival does."""
    if not isinstance(what, str):
        return partial(_ask, what)
    if what not in JOURNEYS:
        raise ValueError(f"there is no journey {what}; there are {', '.join(JOURNEYS)}")
    return JOURNEYS[what]


def allow_connections(number: int) -> None:
    """Raise the limit of open files as far as it is ours to raise."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number + 200
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard) if hard >= 0 else wanted, hard))


def _ask(ask: Ask, visitor: Visitor) -> Answer:
    one = ask.numbered(visitor.number)
    expected = status(one.expect)
    return visitor.ask(one.method, one.path, expected, name=one.name, body=one.body, headers=dict(one.headers))


def _stop_at_end_of_input(load: OpenArrival) -> None:
    while True:
        wait_read(sys.stdin.fileno())
        if not os.read(sys.stdin.fileno(), 4096):
            load.stop()
            return
