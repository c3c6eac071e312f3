"""A test goes on from its checkpoint, and never knows more than before."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.stats import Block, Plan, begin, dump, load, lower, observe, upper

PLAN = Plan(weights=(5, 10, 25, 50, 75, 100))
COUNTS = st.integers(0, 300)
LOOKS = st.lists(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS), max_size=30)


@given(looks=LOOKS, later=LOOKS)
@settings(max_examples=60, deadline=None)
def test_a_reload_never_helps_a_rejection_and_loses_next_to_nothing(
    looks: list[tuple[int, int, int, int]], later: list[tuple[int, int, int, int]]
) -> None:
    state = begin(PLAN)
    for look in looks:
        state = observe(PLAN, state, Block(*look))
    text = dump(PLAN, state)
    again = load(PLAN, text)
    assert len(text) <= 1500
    for mine, other in (
        (again.wealth, state.wealth),
        (again.peak, state.peak),
        (again.limit_wealth, state.limit_wealth),
    ):
        assert (mine <= other + 1e-9).all()
        held = other < 60
        assert np.allclose(mine[held], other[held], atol=0.01)
    assert lower(PLAN, again, 0.05) <= lower(PLAN, state, 0.05)
    assert upper(PLAN, again, 0.05) >= upper(PLAN, state, 0.05)
    for look in later:
        state, again = observe(PLAN, state, Block(*look)), observe(PLAN, again, Block(*look))
    assert np.allclose(again.wealth[state.wealth < 30], state.wealth[state.wealth < 30], atol=0.1)


@pytest.mark.parametrize("text", ["", "no checkpoint", "{}", "c-n<a*"])
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a checkpoint"):
        load(PLAN, text)


def test_a_checkpoint_of_another_plan_is_refused() -> None:
    with pytest.raises(ValueError, match="another plan"):
        load(Plan(delta=0.02), dump(PLAN, begin(PLAN)))
