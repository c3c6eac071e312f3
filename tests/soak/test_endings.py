"""Ends in the middle of a rollout that evidence decides: a namespace goes away, Seatrial itself does.

Each once with the operator at work and once after its death in that very moment.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext

import pytest

from support.fixtures import release
from support.helm import Release
from support.operators import OPERATOR, Operators
from support.place import Place
from support.services import Service, attempt_of, carries, phase_of
from support.traffic import go_on, nothing_lost
from support.watching import Watch

__all__ = ["release"]

pytestmark = pytest.mark.skipif(os.environ.get("SOAK") == "cluster", reason="is about the cluster itself")

RATE = 30
ENDLESS = {"steps": [30], "hold": "1s", "analysis": {"minRequests": 100_000}}  # judged, and never sure
OPERATORS = pytest.mark.parametrize("dies", [False, True], ids=["operator at work", "operator dead"])


def _starting(service: Service, second: Watch) -> None:
    service.apply(env={"READY": "never"})
    second.until(lambda r: phase_of(r) == "Starting", within=30)


def _shifting(service: Service, second: Watch) -> None:
    service.apply(env={"RELEASE": "two"})
    second.until(lambda r: carries(30)(r) and attempt_of(r).get("evidence"), within=60, what="it is judged at 30 %")


def _paused(service: Service, second: Watch) -> None:
    _shifting(service, second)
    service.apply(paused=True)
    second.until(lambda r: phase_of(r) == "Paused", within=30)


def _promoting(service: Service, second: Watch) -> None:
    _shifting(service, second)
    service.kubectl("annotate", "rev", f"{service.name}-2", "seatrial.dev/verb=promote")
    second.until(lambda r: phase_of(r) == "Promoting", within=60)


def _going_back(service: Service, second: Watch) -> None:
    _shifting(service, second)
    service.apply(env={"RELEASE": "one"})
    second.until(lambda r: phase_of(r) == "RollingBack", within=30)


PHASES: Mapping[str, Callable[[Service, Watch], None]] = {
    "starting": _starting,
    "shifting": _shifting,
    "paused": _paused,
    "promoting": _promoting,
    "going back": _going_back,
}


@OPERATORS
@pytest.mark.parametrize("phase", PHASES)
def test_a_namespace_goes_away_in_each_phase(place: Place, operators: Operators, phase: str, *, dies: bool) -> None:
    service = _served(place)
    with place.load(rate=RATE), service.watched(2) as second:
        PHASES[phase](service, second)
        with _dead(operators) if dies else nullcontext():
            place.goes_away()


@OPERATORS
def test_an_uninstall_in_mid_analysis_takes_the_revision_back_and_loses_nothing(
    place: Place, operators: Operators, release: Release, *, dies: bool
) -> None:
    service = _served(place)
    with place.load(rate=RATE) as load, service.watched(2) as second:
        _shifting(service, second)
        with _dead(operators) if dies else nullcontext():
            release.uninstall()
            assert service.weights() == {"r1": 100}
            assert attempt_of(service.revision(2))["phase"] == "RolledBack"
            assert not service.the()["metadata"].get("finalizers")
            seen = go_on(load, 100)
            assert {r.revision_of("orders") for r in seen.requests[-50:]} == {1}
            release.install()
        operators.await_holder(within=90)
        nothing_lost(load.stop(), least=200)


def _served(place: Place) -> Service:
    service = place.actor("orders", rollout=ENDLESS, shutdown={"grace": "6s"})
    service.apply()
    service.await_stable(1)
    return service


@contextmanager
def _dead(operators: Operators) -> Iterator[None]:
    """Killed as it stands, and no other one comes while the block lasts."""
    operators.kill(operators.await_holder())
    with operators.gone(OPERATOR):
        yield
