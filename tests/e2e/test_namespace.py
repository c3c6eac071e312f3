"""A namespace can always be deleted: nothing of Seatrial's holds it, also when nobody is there to let it go."""

from support.kubectl import Kubectl
from support.operators import OPERATOR, Operators
from support.place import Place
from support.services import Service
from support.waiting import eventually

GONE_WITHIN = 90.0


def test_a_namespace_deleted_in_mid_rollout_goes_away(place: Place, kubectl: Kubectl) -> None:
    _in_mid_rollout(place)
    place.close()
    _goes_away(place, kubectl)


def test_a_namespace_deleted_in_mid_rollout_goes_away_without_operators(
    place: Place, kubectl: Kubectl, operators: Operators
) -> None:
    service = _in_mid_rollout(place)
    assert service.the()["metadata"]["finalizers"], "a rollout is guarded by a finalizer: else this proves nothing"
    with operators.gone(OPERATOR):
        place.close()
        _goes_away(place, kubectl)


def _in_mid_rollout(place: Place) -> Service:
    service = place.service("orders", rollout={"hold": "300s"}, shutdown={"grace": "3s"})
    service.apply()
    service.await_stable(1)
    service.release("two")
    service.await_weight(2, 30)
    return service


def _goes_away(place: Place, kubectl: Kubectl) -> None:
    def gone() -> bool:
        left = kubectl.get("namespace", place.namespace)
        assert left is None, [c["message"] for c in left["status"].get("conditions", []) if c["status"] == "True"]
        return True

    eventually(gone, within=GONE_WITHIN, every=1, what="the namespace is gone")
