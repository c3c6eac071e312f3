"""A namespace can always be deleted: nothing of Seatrial's holds it, also when nobody is there to let it go."""

from support.operators import OPERATOR, Operators
from support.place import Place


def test_a_namespace_deleted_in_mid_rollout_goes_away(place: Place) -> None:
    place.in_mid_rollout(grace="3s")
    place.goes_away()


def test_a_namespace_deleted_in_mid_rollout_goes_away_without_operators(place: Place, operators: Operators) -> None:
    service = place.in_mid_rollout(grace="3s")
    assert service.the()["metadata"]["finalizers"], "a rollout is guarded by a finalizer: else this proves nothing"
    with operators.gone(OPERATOR):
        place.goes_away()
