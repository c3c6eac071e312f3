"""Nobody there to judge: a rollout goes back to stable, and a namespace can be deleted all the same."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from loadtests import OpenLoad
from support.fixtures import a_place
from support.operators import OPERATOR, Operators
from support.place import Place, in_mid_rollout
from support.services import Service, attempt_of, phase_of, unix
from support.traffic import go_on, nothing_lost
from support.waiting import eventually
from support.watching import Watch

JANITOR_PATIENCE = 12.5


@dataclass(frozen=True)
class Absence:
    """Operators are gone since a moment, and a service is in mid-rollout under load."""

    since: float
    service: Service
    second: Watch
    load: OpenLoad


@pytest.fixture(scope="module")
def doomed(image: str) -> Iterator[Place]:
    """A namespace that is deleted in mid-rollout."""
    yield from a_place("deleted_without_operators", image, "e2e")


@pytest.fixture(scope="module")
def absence(shared: Place, doomed: Place, operators: Operators) -> Iterator[Absence]:
    """One absence for the tests of this file, in which the operators come back at the end and lose nothing."""
    service, other = in_mid_rollout(shared, doomed, grace="3s")
    assert other.the()["metadata"]["finalizers"], "a rollout is guarded by a finalizer: else this proves nothing"
    with shared.load() as load, service.watched(2) as second:
        with operators.gone(OPERATOR):
            since = time.time()
            doomed.close()
            yield Absence(since, service, second, load)
        nothing_lost(load.stop())
    service.await_stable(1)


def test_without_operators_a_rollout_goes_back_to_stable(absence: Absence) -> None:
    """No revision keeps its share because the one who judged it is gone."""
    service = absence.service
    ended = absence.second.until(lambda r: phase_of(r) == "RolledBack", within=60, what="the janitor acts")
    assert service.weights() == {"r1": 100}
    eventually(lambda: not service.the()["metadata"].get("finalizers"), within=20, what="no finalizer is left")
    nothing_lost(absence.load.snapshot(), least=100)
    seen = go_on(absence.load, 60)
    assert {r.revision_of("orders") for r in seen.requests[-50:]} == {1}
    acted = unix(attempt_of(ended)["endedAt"]) - absence.since
    assert acted < JANITOR_PATIENCE + 15, f"after {acted:.0f} s"
    assert attempt_of(ended)["decision"] == "nobody judged the rollout: all traffic goes back to stable"


def test_a_namespace_deleted_in_mid_rollout_goes_away_without_operators(absence: Absence, doomed: Place) -> None:
    assert absence.since
    doomed.goes_away()
