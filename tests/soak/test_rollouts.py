"""Rollout after rollout under load, with the operator killed at seeded moments: every request is answered.

SOAK=20 make soak runs twenty of them, without it a hundred; each name has its seed, which says when the kills come.
"""

import os
from collections.abc import Iterator
from random import Random

import pytest

from support.operators import Operators
from support.place import Place
from support.services import phase_of
from support.traffic import go_on, nothing_lost

WORD = os.environ.get("SOAK") or "100"
RUNS = int(WORD) if WORD.isdigit() else 0
FIRST = int(os.environ.get("SEED") or 0)
KILLS = 2


@pytest.fixture(scope="module")
def pair(operators: Operators) -> Iterator[Operators]:
    """Two operators, of which one is active."""
    with operators.several(2):
        yield operators


@pytest.mark.parametrize("seed", range(FIRST, FIRST + RUNS))
def test_no_request_is_lost_by_a_rollout_whose_operator_is_killed(seed: int, place: Place, pair: Operators) -> None:
    random = Random(seed)  # noqa: S311 - moments must repeat, not be secret
    steps = sorted(random.sample(range(5, 95), k=random.randint(1, 4)))
    service = place.service("orders", replicas=random.randint(1, 3), rollout={"steps": steps, "hold": "1s"})
    service.apply()
    service.await_stable(1)
    pair.fresh()
    with place.load() as load, service.watched(2) as watch:
        service.release("two")
        for _ in range(KILLS):
            holder = pair.await_holder()
            go_on(load, random.randrange(150))
            pair.kill(holder)
        watch.until(lambda r: phase_of(r) == "Succeeded", within=180, what=f"promoted through {steps}")
        service.await_stable(2)
        nothing_lost(load.stop(), least=200)
    assert [a["phase"] for a in service.revision(2)["status"]["attempts"]] == ["Succeeded"]
