"""A reservation's life: what comes twice changes nothing, what comes late finds an answer."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.domain.errors import MoveRefusedError
from inventory.domain.reservation import LIFE, Effect, Move, Reservation, Status

HOLDS = {Status.HELD: True, Status.COMMITTED: True}
CHANGE = {Effect.NONE: 0, Effect.TAKE: 1, Effect.RETURN: -1, Effect.LEAVE: -1, Effect.COME_BACK: 0}


def reservation(status: Status) -> Reservation:
    return Reservation("r-1", "o-1", "orchestrated", (("rope-01", 1),), datetime(2026, 1, 1, tzinfo=UTC), status=status)


@given(st.sampled_from(Status), st.lists(st.sampled_from(Move)))
def test_units_are_held_exactly_in_the_states_that_say_so(status: Status, moves: list[Move]) -> None:
    current, held = reservation(status), int(HOLDS.get(status, False))
    for move in moves:
        try:
            step = current.step(move)
        except MoveRefusedError:
            continue
        held += CHANGE[step.effect]
        current = current.after(step, picks=())
        assert held == int(HOLDS.get(current.status, False)), "no units are taken twice, or returned twice"


@given(st.sampled_from(Status), st.sampled_from(Move))
def test_a_move_repeated_has_no_further_effect(status: Status, move: Move) -> None:
    first = LIFE[status].get(move)
    if first:
        again = LIFE[first.status][move]
        assert again.effect is Effect.NONE
        assert again.status is first.status


def test_what_was_paid_never_expires() -> None:
    assert reservation(Status.COMMITTED).step(Move.EXPIRE).status is Status.COMMITTED


def test_a_payment_after_expiry_takes_the_goods_anew() -> None:
    step = reservation(Status.EXPIRED).step(Move.COMMIT)
    assert (step.status, step.effect) == (Status.COMMITTED, Effect.TAKE)


@pytest.mark.parametrize("move", [Move.RESERVE, Move.COMMIT])
def test_what_was_released_stays_released(move: Move) -> None:
    with pytest.raises(MoveRefusedError, match="o-1 is released"):
        reservation(Status.RELEASED).step(move)


def test_what_has_left_the_house_is_called_back_by_a_release() -> None:
    step = reservation(Status.SHIPPED).step(Move.RELEASE)
    assert (step.status, step.effect) == (Status.RELEASED, Effect.COME_BACK)


def test_a_release_that_overtakes_the_collection_comes_to_the_same() -> None:
    released = reservation(Status.COMMITTED).step(Move.RELEASE)
    assert released.effect is Effect.RETURN
    assert LIFE[released.status][Move.SHIP] == (Status.RELEASED, Effect.NONE)
