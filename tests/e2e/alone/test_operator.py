"""The operator taken away at bad moments: killed, replaced, gone. Users notice nothing."""

import os
import secrets
import time
from collections.abc import Iterator
from random import Random

import pytest

from support.operators import OPERATOR, Operators
from support.place import Place
from support.services import attempt_of, phase_of, unix
from support.traffic import go_on, nothing_lost
from support.waiting import eventually

TAKEN_OVER_WITHIN = 12.0
GOES_ON_WITHIN = 9.0  # seconds; less than the Lease lasts, so it wasn't waited for
JANITOR_PATIENCE = 12.5
KILLS = 3


@pytest.fixture(scope="module")
def pair(operators: Operators) -> Iterator[Operators]:
    """Two operators, of which one is active."""
    with operators.several(2):
        operators.fresh()
        yield operators


def test_an_operator_killed_at_random_moments_of_a_rollout_changes_nothing(
    place: Place, pair: Operators, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("SEED") or secrets.randbelow(10**6))
    with capsys.disabled():
        print(f"\n  SEED={seed}")  # noqa: T201 - the way to see it again
    random = Random(seed)  # noqa: S311 - moments must repeat, not be secret
    service = place.service("orders", replicas=2, rollout={"steps": [10, 40, 70], "hold": "2s"})
    service.apply()
    service.await_stable(1)
    kills = []
    with place.load() as load, service.watched(2) as watch:
        service.release("two")
        for _ in range(KILLS):
            holder = pair.await_holder()
            go_on(load, random.randrange(120))  # 0 to 4 s
            pair.kill(holder)
            kills.append(attempt_of(watch.seen[-1]).get("weight", {}) if watch.seen else {})
        watch.until(lambda r: phase_of(r) == "Succeeded", within=120, what=f"promoted after kills at {kills}")
        service.await_stable(2)
        nothing_lost(load.stop(), least=200)
    attempts = service.revision(2)["status"]["attempts"]
    assert [a["phase"] for a in attempts] == ["Succeeded"]
    weights = [e["weight"] for e in attempts[0]["history"]]
    assert weights == sorted(weights), f"a step was taken back: {attempts[0]['history']}"
    assert set(weights) >= {10, 40, 70, 100}, "a step was left out"


def test_an_operator_that_crashed_goes_on_as_soon_as_it_runs_again(operators: Operators) -> None:
    operators.fresh()
    killed = time.monotonic()
    operators.kill(operators.holder())
    eventually(operators.holder, within=GOES_ON_WITHIN + 20, every=0.1, what="it holds the Lease again")
    assert time.monotonic() - killed <= GOES_ON_WITHIN


def test_another_operator_takes_over_within_12_s_from_one_that_hangs(pair: Operators) -> None:
    first = pair.await_holder()
    before = pair.lease()["spec"]["leaseTransitions"]
    hung = time.monotonic()
    with pair.hung(first):

        def taken_over() -> bool:
            spec = pair.lease()["spec"]
            identity = spec.get("holderIdentity") or ""
            return spec["leaseTransitions"] > before and bool(identity) and first not in identity

        eventually(taken_over, within=TAKEN_OVER_WITHIN + 8, every=0.1, what="another one holds the Lease")
        assert time.monotonic() - hung <= TAKEN_OVER_WITHIN
    holder = pair.holder()
    pair.await_ready()
    assert pair.holder() == holder, "the one that woke up took the Lease back"


def test_of_two_operators_only_the_one_that_holds_the_lease_decides(place: Place, pair: Operators) -> None:
    """The first hangs in mid-rollout, and wakes when the second has gone on."""
    service = place.service("orders", rollout={"steps": [20, 60], "hold": "6s"})
    service.apply()
    service.await_stable(1)
    with place.load() as load, service.watched(2) as watch:
        service.release("two")
        service.await_weight(2, 20)
        first = pair.await_holder()
        with pair.hung(first):
            watch.until(lambda r: attempt_of(r).get("weight", {}).get("wanted") == 60, within=60, what="60 %")
        watch.until(lambda r: phase_of(r) == "Succeeded", within=60, what="promoted")
        service.await_stable(2)
        nothing_lost(load.stop(), least=200)
    (attempt,) = service.revision(2)["status"]["attempts"]
    assert [e["weight"] for e in attempt["history"] if e["weight"]] == [20, 60, 100, 100], attempt["history"]
    routes = service.kubectl.the("virtualservice", "orders")["metadata"]["annotations"]
    assert int(routes["seatrial.dev/fencing"]) == pair.lease()["spec"]["leaseTransitions"]


def test_without_operators_a_rollout_goes_back_to_stable(place: Place, operators: Operators) -> None:
    """No revision keeps its share because the one who judged it is gone."""
    service = place.service("orders", rollout={"hold": "120s"})
    service.apply()
    service.await_stable(1)
    with place.load() as load, service.watched(2) as watch:
        service.release("two")
        service.await_weight(2, 30)
        with operators.gone(OPERATOR):
            gone = time.time()
            ended = watch.until(lambda r: phase_of(r) == "RolledBack", within=60, what="the janitor acts")
            assert service.weights() == {"r1": 100}
            eventually(lambda: not service.the()["metadata"].get("finalizers"), within=20, what="no finalizer is left")
            nothing_lost(load.snapshot(), least=100)
            seen = go_on(load, 60)
            assert {r.revision_of("orders") for r in seen.requests[-50:]} == {1}
        nothing_lost(load.stop())
    acted = unix(attempt_of(ended)["endedAt"]) - gone
    assert acted < JANITOR_PATIENCE + 15, f"after {acted:.0f} s"
    assert attempt_of(ended)["decision"] == "nobody judged the rollout: all traffic goes back to stable"
    service.await_stable(1)
