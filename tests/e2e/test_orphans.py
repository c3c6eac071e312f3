"""A service deleted without its children: they go on as they are, and what was under way has been taken back."""

from support.place import Place
from support.traffic import go_on, nothing_lost
from support.waiting import eventually


def test_a_service_deleted_without_its_children_goes_on_serving_with_the_stable_revision(place: Place) -> None:
    service = place.service("orders", rollout={"hold": "20s"})
    service.apply()
    service.await_stable(1)
    with place.load() as load:
        service.release("two")
        service.await_weight(2, 30)
        service.kubectl.delete("ms", "orders", options=["--cascade=orphan", "--wait=false"])
        eventually(lambda: service.kubectl.get("ms", "orders") is None, within=30, what="it is gone")
        go_on(load, 150)
        seen = load.stop()
    nothing_lost(seen)
    assert {r.revision_of("orders") for r in seen.requests[-100:]} == {1}
    assert service.weights() == {"r1": 100}
    assert [p["status"]["phase"] for p in service.pods(1)] == ["Running"]
