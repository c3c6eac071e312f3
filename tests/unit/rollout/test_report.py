"""The statuses that a decision leaves behind, as their readers need them."""

from dataclasses import replace

from seatrial.rollout.decide import decide
from support.sea import Sea, a_service


def test_a_revisions_condition_is_about_its_present_generation_as_kubectl_wait_demands() -> None:
    sea = Sea(a_service()).sail()
    world = sea.world()
    assert world.revisions
    older = tuple(
        r.model_copy(update={"metadata": r.metadata.model_copy(update={"generation": 3})}) for r in world.revisions
    )
    statuses = decide(replace(world, revisions=older)).statuses
    assert [c.observed_generation for c in statuses[1].conditions] == [3]
