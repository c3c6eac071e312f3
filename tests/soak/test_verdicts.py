"""Rollout after rollout that the evidence decides: equal revisions get through, bad ones never do, nobody is lost.

SOAK=3 make soak sails three of each; without it thirty equal ones, the bound of which is a binomial law at the promised
5 %, and twenty that fail. Some services sail abreast, each under a load of its own of RATE requests a second (50), the
last one by steps that the evidence chooses.
"""

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import pytest

from loadtests import ALPHA, Ask, OpenLoad, Recording, binomial_bound
from support.bad_ways import ASIDE, BAD
from support.exposure import exposure, spread, step_split
from support.machine import machine_now
from support.place import PATH, Place
from support.sailing import Sailing, sail
from support.services import Service, attempt_of, last_word, phase_of
from support.traffic import nothing_lost, story
from support.waiting import eventually

WORD = os.environ.get("SOAK") or ""
CUT = int(WORD) if WORD.isdigit() else 30
RATE = int(os.environ.get("RATE") or 50)
STEPS = (10, 50)
FLEET: Mapping[str, list[int]] = {"orders-a": [*STEPS], "orders-b": [*STEPS], "orders-c": []}
BASE = "0.001"  # share of errors that stable has, too
PROMISED = 0.05
CHANCE = 0.05

pytestmark = pytest.mark.skipif(WORD == "cluster", reason="is about the cluster itself")


def test_equal_revisions_are_rarely_taken_back(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    runs = min(CUT, 30)
    with fleet(place, part={"ERRORS": BASE}) as ships:
        sailings = abreast(ships, runs, {}, within=400)
        seen = [ship.load.stop() for ship in ships]
    through = [s for s in sailings if s.attempt["phase"] == "Succeeded"]
    refused = [s.attempt["decision"] for s in sailings if s not in through]
    lost = [r for s in seen for r in s.lost if not r.served_by]
    with capsys.disabled():
        print(  # noqa: T201 - figures for the record
            f"\n  {len(through)} of {runs} equal ones promoted, to 100 % in {spread([s.full for s in through])}; "
            f"{len(lost)} of {sum(s.total for s in seen)} requests lost; refused: {refused}; {machine_now()}"
        )
    assert len(refused) <= binomial_bound(runs, PROMISED, CHANCE).high, refused
    assert not lost, [story(s) for s in seen]
    for sailing in through:
        for weight in STEPS:
            fits(sailing, weight)


def test_revisions_that_fail_never_get_through(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    runs = min(CUT, 20)
    with fleet(place) as ships:
        sailings = abreast(ships, runs, {"ERRORS": "0.3"})
        seen = [ship.load.stop() for ship in ships]
    costs = [s.exposure for s in sailings]
    with capsys.disabled():
        print(  # noqa: T201 - figures for the record
            f"\n  {runs} bad ones: first traffic {spread([c.first for c in costs if c.first is not None])}, exposure "
            f"{spread([c.lasted for c in costs if c.lasted is not None])}, harmed "
            f"{spread([float(c.harmed) for c in costs], unit='')}; {machine_now()}"
        )
    assert {s.attempt["phase"] for s in sailings} == {"RolledBack"}
    assert all(r.revision_of(ship.service.name) != 1 for ship, s in zip(ships, seen, strict=True) for r in s.lost)


@pytest.mark.parametrize("how", BAD)
def test_no_way_to_be_bad_gets_through(place: Place, how: str, capsys: pytest.CaptureFixture[str]) -> None:
    way = BAD[how]
    service = place.actor("orders", **way.policy)
    service.apply()
    service.await_stable(1)
    with place.load(rate=RATE * (1 - way.aside)) as load, place.load(rate=RATE * way.aside, path=ASIDE) as aside:
        sailing = sail(service, 2, load, over=lambda r: phase_of(r) == way.ends, **way.template)
        both = Recording((*sailing.seen.requests, *aside.stop().requests))
    cost = exposure(both, "orders", 2, sailing.changed)
    with capsys.disabled():
        told = f"| {how} | {way.ends} | {cost} | {last_word(sailing.attempt)} | {machine_now()} |"
        print(f"\n{told}")  # noqa: T201 - figures for the record
    assert set(service.weights()) == ({"r1", "r2"} if way.ends == "Paused" else {"r1"})
    if way.ends == "Failed":
        assert (cost.answers, cost.harmed) == (0, 0), "it was never ready, and got requests"
    assert {r.revision_of("orders") for r in both.failed} <= {2, None}, story(both)


def test_a_test_run_alone_proves_a_good_revision(place: Place) -> None:
    rollout = {"strategy": "blueGreen", "steps": None, "analysis": {"toleratePercentPoints": 5}}
    service = place.actor("orders", rollout=rollout)
    service.apply()
    service.await_stable(1)
    preview = Ask(PATH, name="preview", headers=(("x-seatrial-preview", "orders"),))
    with service.watched(2) as second:
        service.apply(env={"RELEASE": "two"})
        second.until(lambda r: phase_of(r) == "Shifting", within=60, what="marked requests may come")
        eventually(
            lambda: [by.revision for by in place.edge.get(PATH, x_seatrial_preview="orders").served_by] == [2],
            within=30,
            what="marked requests get it",
        )
        with place.load(rate=RATE, ask=preview) as load:
            second.until(lambda r: phase_of(r) == "Succeeded", within=90, what="it is promoted")
            nothing_lost(load.stop(), least=50)
    errors = next(slo for slo in attempt_of(second.seen[-1])["evidence"]["slos"] if slo["name"] == "errors")
    assert errors["stable"]["total"] < errors["canary"]["total"] / 5, "that was no test run alone"


@dataclass(frozen=True)
class Ship:
    """A service that serves its first revision, under a load."""

    service: Service
    load: OpenLoad


@contextmanager
def fleet(place: Place, part: Mapping[str, str] | None = None) -> Iterator[list[Ship]]:
    """Services on one host, each at the prefix of its name."""
    services = [
        place.actor(
            name,
            part=dict(part or {}),
            expose=[{"host": place.edge.host, "prefix": f"/{name}", "rewrite": "/"}],
            rollout={"steps": steps},
        )
        for name, steps in FLEET.items()
    ]
    place.kubectl.apply(*(s.manifest for s in services))
    for service in services:
        service.await_stable(1)
    with ExitStack() as stack:
        yield [Ship(s, stack.enter_context(place.load(rate=RATE, path=f"/{s.name}{PATH}"))) for s in services]


def abreast(ships: list[Ship], runs: int, env: Mapping[str, str], **limits: Any) -> list[Sailing]:
    """So many rollouts, one after the other of each service; each has a template of its own, and that environment."""

    def one_after_the_other(ship: Ship, count: int) -> list[Sailing]:
        return [
            sail(ship.service, number, ship.load, env={"RELEASE": f"{number}", **env}, **limits)
            for number in range(2, 2 + count)
        ]

    turns = [0] * len(ships)
    for _, ship in zip(range(runs), cycle(range(len(ships))), strict=False):
        turns[ship] += 1
    with ThreadPoolExecutor(len(ships)) as pool:
        voyages = [pool.submit(one_after_the_other, s, n) for s, n in zip(ships, turns, strict=True)]
        return [sailing for voyage in voyages for sailing in voyage.result()]


def fits(sailing: Sailing, weight: int) -> None:
    """The share that a step had can't be told from what was asked for by chance of ALPHA."""
    split = step_split(sailing.seen, sailing.service, sailing.states, weight)
    if split is not None:
        assert split.counts.get(sailing.revision, 0) in split.bound(weight, ALPHA), f"{split.counts} at {weight} %"
