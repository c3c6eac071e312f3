"""A rollout beside an autoscaler that has something to do: a step comes with the pods that stable was given for it."""

import os

import pytest

from support.place import Place
from support.services import attempt_of, is_ready, phase_of
from support.traffic import nothing_lost
from support.waiting import eventually

pytestmark = pytest.mark.skipif(os.environ.get("SOAK") == "cluster", reason="is about the cluster itself")

MOST = 3
SCALED_WITHIN = 240.0  # seconds: metrics are some old, and the autoscaler looks four times a minute


def test_no_step_is_taken_before_the_pods_that_the_autoscaler_gave_to_stable(place: Place) -> None:
    service = place.actor(
        "orders",
        replicas=None,
        autoscaling={"min": 1, "max": MOST, "cpuPercent": 1},
        rollout={"steps": [50], "hold": "2s", "analysis": None},
    )
    service.apply()
    service.await_stable(1)
    with place.load(rate=40) as load:
        eventually(
            lambda: len([p for p in service.pods(1) if is_ready(p)]) == MOST,
            within=SCALED_WITHIN,
            every=2,
            what="the autoscaler gives stable all that it may",
        )
        with service.watched(2) as second:
            service.apply(env={"RELEASE": "two"})
            second.until(lambda r: phase_of(r) == "Succeeded", within=180, what="it is promoted")
        nothing_lost(load.stop(), least=200)
    for weight, least in ((50, 2), (100, MOST)):
        asked = next(r for r in second.seen if attempt_of(r).get("weight", {}).get("wanted") == weight)
        assert asked["status"]["readyReplicas"] >= least, f"{weight} % with {asked['status']['readyReplicas']} pods"
