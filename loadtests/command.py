"""The command line of the load tests. What is heavy or patches the standard library is imported by whoever needs it."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from loadtests.arrivals import SPACINGS
from loadtests.plan import HEADERS, HOST, Ask, Plan, parse_header, parse_stages


def main(argv: Sequence[str]) -> int:
    """Run a command line; gives the exit code."""
    if argv[:1] == ["open"]:
        return _open(argv[1:])
    return _run(argv)


def _open(argv: Sequence[str]) -> int:
    parser = open_parser()
    given = parser.parse_args(argv)
    try:
        plan = plan_of(given)
    except ValueError as error:
        parser.error(str(error))
    _without_pages()
    from loadtests.generate import generate  # noqa: PLC0415 - patches the standard library

    generate(plan, driven=given.driven)
    return 0


def _without_pages() -> None:
    """Keep Locust from importing its web pages, which nobody asks for here: Flask is a third of a generator's start."""
    pages = ModuleType("locust.web")
    vars(pages)["WebUI"] = None
    sys.modules[pages.__name__] = pages


def open_parser() -> argparse.ArgumentParser:
    """Options of `open`."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtests open",
        description="Requests at times laid down beforehand, each one recorded.",
    )
    option = parser.add_argument
    option("--stage", action="append", required=True, metavar="RATE[:SECONDS]", help="arrivals a second")
    option("--path", metavar="PATH", help="ask for this path; {n} becomes the arrival's number")
    option("--journey", metavar="NAME", help="go on this journey instead of asking for a path")
    option("--method", default="GET")
    option("--body", help="sent with the request")
    option("--ask-header", action="append", default=[], metavar="'NAME: VALUE'", help="of the request; {n} as above")
    option("--expect", type=int, default=200, metavar="STATUS", help="every other one is a wrong answer")
    option("--name", default="", help="what the record calls the request")
    option("--host", default=HOST, metavar="URL")
    option("--header", action="append", metavar="'NAME: VALUE'", help=f"of all requests; default {HEADERS[0]}")
    option("--spacing", choices=SPACINGS, default="poisson")
    option("--seed", type=int, default=0, help="same seed, same arrival times")
    option("--timeout", type=float, default=10.0, metavar="SECONDS", help="for a whole request")
    option("--most-at-once", type=int, default=2000, metavar="NUMBER", help="of visits under way")
    option("--worker", type=int, default=0, help="which share of the arrivals is ours")
    option("--workers", type=int, default=1)
    option("--record", type=Path, default=Path("load.jsonl"), metavar="FILE")
    option("--driven", action="store_true", help="begin when stdin says so, end when it closes")
    return parser


def plan_of(given: argparse.Namespace) -> Plan:
    """The plan that the options of `open` describe; `ValueError` says what is wrong with them."""
    if (given.path is None) == (given.journey is None):
        raise ValueError("say either --path or --journey")
    what = given.journey or Ask(
        path=given.path,
        method=given.method,
        headers=tuple(parse_header(text) for text in given.ask_header),
        body=given.body,
        expect=given.expect,
        name=given.name,
    )
    return Plan(
        stages=parse_stages(given.stage),
        what=what,
        spacing=given.spacing,
        seed=given.seed,
        host=given.host,
        headers=HEADERS if given.header is None else tuple(parse_header(text) for text in given.header),
        timeout=given.timeout,
        most_at_once=given.most_at_once,
        worker=given.worker,
        workers=given.workers,
        record=given.record,
    )


def _run(argv: Sequence[str]) -> int:
    from loadtests.run import main as run  # noqa: PLC0415 - needs the report, which `open` doesn't

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # Locust, in a session of its own, ends with us
        signal.signal(number, signal.default_int_handler)
    return run(argv)
