"""`python -m demo.invariants`: look at a running shop and tell what breaks a rule; ends with 1 if anything does.

In the cluster without arguments. Anywhere else by URLs: ``orders=postgresql://… payments=postgresql://… nats=nats://…``,
or ``postgres=postgresql://…`` for a server that has them all, as `make shop-local` prints it.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from rich.console import Console

from demo.invariants import GRACE, Finding, check
from demo.invariants.across import BROKEN_ACROSS
from demo.invariants.cluster import SERVICES, shop_in_cluster
from demo.invariants.inside import INSIDE
from demo.kubectl import DemoError, Kubectl


def main(arguments: Sequence[str] | None = None) -> int:
    """Look until all holds or the patience is over."""
    chosen = _parser().parse_args(arguments)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    given = dict(text.split("=", 1) for text in chosen.urls)
    if server := given.pop("postgres", None):
        given = {**{name: f"{server.rpartition('/')[0]}/{name}" for name in SERVICES}, **given}
    try:
        if given:
            return _look(given, chosen, console)
        with shop_in_cluster(Kubectl(chosen.context, chosen.namespace)) as urls:
            return _look(urls, chosen, console)
    except DemoError as error:
        console.print(f"✘ {error.cause}\n  → {error.remedy}")
    except OSError as error:
        console.print(f"✘ the shop can't be read: {error}\n  → kubectl -n {chosen.namespace} get pods")
    return 2


def _look(urls: dict[str, str], chosen: argparse.Namespace, console: Console) -> int:
    deadline = time.monotonic() + chosen.within
    while findings := check(urls, grace=chosen.grace, explained=chosen.explained):
        if time.monotonic() >= deadline:
            break
        time.sleep(1)
    _tell(
        findings, console, rules=len(BROKEN_ACROSS) + sum(len(INSIDE.get(name, ())) for name in urls) + ("nats" in urls)
    )
    return 1 if findings else 0


def _tell(findings: Sequence[Finding], console: Console, *, rules: int) -> None:
    for rule, broken in groupby(sorted(findings), key=attrgetter("rule")):
        console.print(f"✘ {rule}")
        for finding in broken:
            console.print(f"    {finding.subject}: {finding.detail}")
    if findings:
        console.print(f"\n{len(findings)} rows break {len({finding.rule for finding in findings})} of {rules} rules")
    else:
        console.print(f"✔ all {rules} rules hold")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m demo.invariants", description="What must hold in the shop, and does it?"
    )
    parser.add_argument(
        "urls", nargs="*", metavar="NAME=URL", help="databases by service, and nats (default: the cluster's)"
    )
    parser.add_argument("--context", default="kind-seatrial")
    parser.add_argument("--namespace", default="shop")
    parser.add_argument(
        "--grace", type=float, default=GRACE, help="seconds that something may be under way (default: 30)"
    )
    parser.add_argument("--within", type=float, default=0, help="seconds to wait until all holds (default: look once)")
    parser.add_argument(
        "--explained",
        action="append",
        default=[],
        metavar="TEXT",
        help="pass over dead letters with this cause or event id",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
