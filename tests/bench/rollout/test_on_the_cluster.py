"""What a rollout costs its users on a real mesh: the table of docs/benchmarks.md, one row a test.

RATE requests a second (50) by open arrival through the ingress gateway, two pods, first step 10 %, the rest as it is.
RUNS says how often what is repeated is repeated (5). Nothing is asserted but that each rollout came to its end.
"""

import os
import time
from collections.abc import Sequence

import pytest

from support.exposure import Exposure, exposure, split_of, spread
from support.fixtures import operators
from support.operators import OPERATOR, Operators
from support.place import Place
from support.sailing import Sailing, sail
from support.services import Service, attempt_of, phase_of, unix
from support.traffic import go_on
from support.waiting import eventually

__all__ = ["operators"]

RATE = int(os.environ.get("RATE") or 50)
RUNS = int(os.environ.get("RUNS") or 5)


@pytest.fixture
def orders(place: Place) -> Service:
    """A service that serves its first revision."""
    service = place.actor("orders")
    service.apply()
    service.await_stable(1)
    return service


def test_thirty_percent_errors(place: Place, orders: Service, machine: str) -> None:
    with place.load(rate=RATE) as load:
        sailings = []
        for number in range(2, 2 + RUNS):
            sailings.append(sail(orders, number, load, env={"RELEASE": f"bad {number}", "ERRORS": "0.3"}))
            print(f"\n{number}: {sailings[-1].exposure}: {sailings[-1].attempt['decision']}", end="")
    phases = [s.attempt["phase"] for s in sailings]
    row("30 % errors", [s.exposure for s in sailings], f"{phases.count('RolledBack')} of {RUNS} rolled back", machine)


@pytest.mark.parametrize("steps", [[10, 50], []], ids=["steps 10 and 50", "the evidence chooses"])
def test_a_good_revision(place: Place, orders: Service, steps: Sequence[int], machine: str) -> None:
    orders.apply(rollout={"steps": list(steps)})
    sailings: list[Sailing] = []
    with place.load(rate=RATE) as load:
        for number in range(2, 2 + RUNS):
            sailings.append(sail(orders, number, load, within=300, env={"RELEASE": f"good {number}"}))
            print(f"\n{number}: {' → '.join(weights(sailings[-1]))}", end="")
        lost = load.stop().failed
    took = [s.full for s in sailings if s.attempt["phase"] == "Succeeded"]
    splits = [split_of(s.seen, "orders", s.revision, s.states, w) for s in sailings for w in steps]
    print(
        f"\n| good revision, {steps or 'the evidence chooses'} | {len(took)} of {RUNS} promoted | to 100 %: "
        f"{spread(took)} | {len(lost)} of {load.snapshot().total} requests lost | {machine} |"
    )
    print("\n".join(f"  {line}" for line in splits))


def test_a_third_revision_in_mid_rollout(place: Place, orders: Service, machine: str) -> None:
    with place.load(rate=RATE) as load, orders.watched(3) as third:
        orders.apply(env={"RELEASE": "two"})
        orders.await_weight(2, 10)
        changed = time.time()
        orders.apply(env={"RELEASE": "three", "ERRORS": "0.8"})
        third.until(lambda r: attempt_of(r).get("endedAt"), within=180)
        seen = go_on(load, 100)
    ended = orders.attempt(2)["phase"]
    third_attempt = orders.attempt(3)
    print(
        f"\n| third revision, 80 % errors, in mid-rollout | second {ended}, third {third_attempt['phase']} | "
        f"{exposure(seen, 'orders', 3, changed)} | {third_attempt['decision']} | {machine} |"
    )


@pytest.mark.parametrize("cascade", ["background", "orphan"])
def test_deletion_in_mid_rollout(place: Place, orders: Service, cascade: str, machine: str) -> None:
    with place.load(rate=RATE) as load:
        orders.apply(env={"RELEASE": "two"}, rollout={"hold": "60s"})
        orders.await_weight(2, 10)
        orders.kubectl.delete("ms", "orders", options=[f"--cascade={cascade}", "--wait=false"])
        eventually(lambda: orders.kubectl.get("ms", "orders") is None, within=60, what="it is gone")
        seen = go_on(load, 300)
    codes = {status: sum(r.status == status for r in seen.requests) for status in {r.status for r in seen.requests}}
    last = {r.revision_of("orders") for r in seen.requests[-100:]}
    print(
        f"\n| deleted in mid-rollout, --cascade={cascade} | answers by status {codes} | at the end served by {last} | "
        f"{machine} |"
    )


def test_the_operator_gone_for_a_minute(place: Place, orders: Service, operators: Operators, machine: str) -> None:
    orders.apply(rollout={"hold": "120s"})
    with place.load(rate=RATE) as load, orders.watched(2) as second:
        orders.apply(env={"RELEASE": "bad", "ERRORS": "0.3", "GOOD_FOR": "40"})
        second.until(lambda r: attempt_of(r).get("weight", {}).get("wanted") == 10, within=60, what="10 %")
        with operators.gone(OPERATOR):
            down = eventually(operators.gave_back, within=10, what="the operator gave the Lease back")
            load.until(lambda seen: seen.requests[-1].started > down + 60, within=90)
        cost = exposure(load.snapshot(), "orders", 2, down)
        second.until(lambda r: attempt_of(r).get("endedAt"), within=90)
    print(
        f"\n| operator down for 60 s at 10 %, then 30 % errors | {phase_of(second.seen[-1])} | after it went: {cost} | "
        f"{orders.attempt(2)['decision']} | {machine} |"
    )


def weights(sailing: Sailing) -> list[str]:
    """The steps as they were taken, with their seconds from the change."""
    return [f"{e['weight']} % ({unix(e['at']) - sailing.changed:.0f} s)" for e in sailing.attempt["history"]]


def row(what: str, costs: Sequence[Exposure], outcome: str, machine: str) -> None:
    """Print a row of the table: each column's median, and its least and most."""
    firsts = [c.first for c in costs if c.first is not None]
    lasted = [c.lasted for c in costs if c.lasted is not None]
    print(
        f"\n| {what} | {outcome} | first traffic {spread(firsts)} | exposure {spread(lasted)} | harmed "
        f"{spread([float(c.harmed) for c in costs], unit='')} | {machine} |"
    )
