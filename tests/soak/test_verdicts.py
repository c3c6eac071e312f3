"""Rollout after rollout that the evidence decides: equal revisions get through, bad ones never do.

SOAK=3 make soak sails three of each; without it thirty equal ones, the bound of which is a binomial law at the promised
5 %, and twenty that fail.
"""

import os

import pytest

from loadtests import binomial_bound
from support.place import Place
from support.sailing import sail
from support.traffic import story

WORD = os.environ.get("SOAK") or ""
CUT = int(WORD) if WORD.isdigit() else 30
RATE = 50
BASE = "0.001"  # share of errors that stable has, too
PROMISED = 0.05
ALPHA = 0.05

pytestmark = pytest.mark.skipif(WORD == "cluster", reason="is about the cluster itself")


def test_equal_revisions_are_rarely_taken_back(place: Place) -> None:
    runs = min(CUT, 30)
    service = place.actor("orders", part={"ERRORS": BASE})
    service.apply()
    service.await_stable(1)
    with place.load(rate=RATE) as load:
        sailings = [sail(service, n, load, within=400, env={"RELEASE": f"{n}"}) for n in range(2, 2 + runs)]
        lost = [r for r in load.stop().lost if not r.served_by]
    refused = [s.attempt["decision"] for s in sailings if s.attempt["phase"] != "Succeeded"]
    assert len(refused) <= binomial_bound(runs, PROMISED, ALPHA).high, refused
    assert not lost, story(load.snapshot())


def test_revisions_that_fail_never_get_through(place: Place) -> None:
    runs = min(CUT, 20)
    service = place.actor("orders")
    service.apply()
    service.await_stable(1)
    with place.load(rate=RATE) as load:
        bad = {"ERRORS": "0.3"}
        sailings = [sail(service, n, load, env={"RELEASE": f"{n}", **bad}) for n in range(2, 2 + runs)]
        seen = load.stop()
    assert [s.attempt["phase"] for s in sailings] == ["RolledBack"] * runs
    assert all(r.revision_of("orders") != 1 for r in seen.lost), story(seen)
