"""A service from `kubectl apply` to its first answer."""

import time

import pytest

from support.asking import Answer
from support.kubectl import Object
from support.place import Place
from support.services import condition_of, unix
from support.waiting import eventually
from support.watching import Watch


def _is_ready(seen: Object) -> bool:
    return condition_of(seen, "Ready").get("status") == "True"


def test_an_applied_service_is_soon_ready_and_serves_at_the_edge(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    service = place.catalog("orders")
    with Watch(place.kubectl, "ms", "orders") as watch:
        applied = time.time()
        service.apply()
        ready = watch.until(_is_ready, within=60, what="orders is Ready")
    took = unix(condition_of(ready, "Ready")["lastTransitionTime"]) - applied
    with capsys.disabled():
        print(f"\n  apply → Ready: {took:.1f} s")  # noqa: T201 - a figure to read, with no limit on a shared machine

    answer = eventually(lambda: _good(place), within=10, what="the edge serves it")

    assert [(hop.service, hop.revision) for hop in answer.served_by] == [("orders", 1)]
    assert ready["status"]["url"] == f"http://{place.edge.host}/"
    assert service.await_stable(1)["readyReplicas"] == 1


def _good(place: Place) -> Answer:
    answer = place.edge.get("/v1/identity")
    assert answer.status == 200, answer
    return answer
