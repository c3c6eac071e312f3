"""A namespace can always be deleted: nothing of Seatrial's holds it, also when nobody is there to let it go."""

from support.operators import OPERATOR, Operators
from support.place import Place
from support.services import Service


def test_a_namespace_deleted_in_mid_rollout_goes_away(place: Place) -> None:
    _in_mid_rollout(place)
    place.goes_away()


def test_a_namespace_deleted_in_mid_rollout_goes_away_without_operators(place: Place, operators: Operators) -> None:
    service = _in_mid_rollout(place)
    assert service.the()["metadata"]["finalizers"], "a rollout is guarded by a finalizer: else this proves nothing"
    with operators.gone(OPERATOR):
        place.goes_away()


def _in_mid_rollout(place: Place) -> Service:
    service = place.service("orders", rollout={"hold": "300s"}, shutdown={"grace": "3s"})
    service.apply()
    service.await_stable(1)
    service.release("two")
    service.await_weight(2, 30)
    return service
