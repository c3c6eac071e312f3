"""A rollout while what it rests on is killed: at each step's boundary, and at a seeded moment inside each step."""

import os
from collections.abc import Callable, Iterator
from random import Random

import pytest

from support.kubectl import Kubectl, Object
from support.operators import Operators
from support.place import Place
from support.restarts import ControlPlane
from support.services import attempt_of, phase_of
from support.traffic import go_on, nothing_lost

pytestmark = pytest.mark.skipif(os.environ.get("SOAK") == "cluster", reason="is about the cluster itself")

STEPS = (20, 60, 100)
HOLD = 4
RATE = 30
SEED = int(os.environ.get("SEED") or 0)


@pytest.fixture(scope="module")
def control_plane(kubectl: Kubectl, operators: Operators) -> Iterator[ControlPlane]:
    """With two operators: what is tested is that one takes over, not how soon the kubelet restarts the other."""
    with operators.several(2):
        yield ControlPlane(kubectl, operators)


@pytest.mark.parametrize("moment", ["boundary", "inside"])
@pytest.mark.parametrize("part", ["operator", "istiod", "API server"])
def test_a_rollout_comes_to_its_end_whatever_is_killed_on_the_way(
    place: Place, control_plane: ControlPlane, part: str, moment: str
) -> None:
    random = Random(f"{SEED} {part} {moment}")  # noqa: S311 - moments must repeat, not be secret
    rollout = {"steps": list(STEPS[:-1]), "hold": f"{HOLD}s", "progressDeadline": "180s"}
    service = place.service("orders", replicas=2, rollout=rollout)
    service.apply()
    service.await_stable(1)
    control_plane.operators.fresh()
    with place.load(rate=RATE) as load, service.watched(2) as watch:
        service.release("two")
        for weight in STEPS:
            watch.until(_wants(weight), within=180, what=f"{weight} %")
            if moment == "inside":
                go_on(load, random.randrange(HOLD * RATE))
            control_plane.parts[part]()
        watch.until(lambda revision: phase_of(revision) == "Succeeded", within=180, what="it is promoted")
        service.await_stable(2)
        nothing_lost(load.stop(), least=300)
    attempts = service.revision(2)["status"]["attempts"]
    assert [a["phase"] for a in attempts] == ["Succeeded"]
    weights = [e["weight"] for e in attempts[0]["history"]]
    assert weights == sorted(weights), f"a step was taken back: {attempts[0]['history']}"


def _wants(percent: int) -> Callable[[Object], bool]:
    return lambda revision: attempt_of(revision).get("weight", {}).get("wanted", 0) >= percent
