from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.api.revision import Phase
from seatrial.rollout.decide import decide
from seatrial.rollout.world import PodShare
from support.sea import Sea, a_service


def told(sea: Sea) -> dict[int, PodShare]:
    """What the pods are told now."""
    return dict(decide(sea.world()).shares)


def test_the_stable_revision_alone_does_all_the_work() -> None:
    sea = Sea(a_service()).sail()
    assert told(sea) == {1: PodShare("stable", 100)}


def test_the_first_revision_works_as_soon_as_it_has_pods() -> None:
    sea = Sea(a_service())
    sea.until(Phase.STARTING, 1)
    assert told(sea)[1] == PodShare("stable", 100)


def test_a_revision_that_starts_has_no_share() -> None:
    sea = Sea(a_service()).sail()
    sea.change("two")
    sea.until(Phase.STARTING, 2)
    assert told(sea) == {1: PodShare("stable", 100), 2: PodShare("canary", 0)}


def test_a_canary_with_fewer_pods_works_each_of_them_harder() -> None:
    sea = Sea(a_service(rollout={"steps": [10, 25], "hold": "60s"})).sail()
    sea.change("two")
    sea.until(Phase.SHIFTING, 2)
    assert sea.pods[2].wanted == 1  # of 4, for the 10 % that it has and the 25 % that come next
    assert told(sea) == {1: PodShare("stable", 90), 2: PodShare("canary", 40)}
    assert [(share.share, share.peers) for share in told(sea).values()] == [(90, 4), (10, 1)]
    assert told(sea)[2].annotations == {
        "seatrial.dev/role": "canary",
        "seatrial.dev/weight": "40",
        "seatrial.dev/share": "10",
        "seatrial.dev/peers": "1",
    }


def test_a_revision_that_is_taken_back_has_no_share_from_that_moment_on() -> None:
    sea = Sea(a_service(rollout={"steps": [50], "hold": "60s"}), ack_after=5).sail()
    sea.change("two")
    sea.until(Phase.SHIFTING, 2)
    sea.change("one")
    decision = sea.until(Phase.ROLLING_BACK, 2)
    assert decision.shares[2].weight == 0
    assert decision.shares[1] == PodShare("stable", 100)


def test_after_promotion_the_roles_are_switched() -> None:
    sea = Sea(a_service()).sail()
    sea.change("two")
    sea.until(Phase.SUCCEEDED, 2)
    assert told(sea) == {1: PodShare("kept", 0), 2: PodShare("stable", 100)}


def test_without_a_judge_nothing_is_left_to_a_canary() -> None:
    sea = Sea(a_service(rollout={"steps": [50], "hold": "60s"})).sail()
    sea.change("two")
    sea.until(Phase.SHIFTING, 2)
    sea.judge = False
    sea.look()
    assert told(sea)[2].weight == 0


@given(replicas=st.integers(1, 12), step=st.integers(1, 99))
@settings(deadline=None)
def test_work_is_split_as_the_weights_say_wherever_the_pods_allow_it(replicas: int, step: int) -> None:
    sea = Sea(a_service(replicas=replicas, rollout={"steps": [step], "hold": "60s"})).sail()
    sea.change("two")
    sea.until(Phase.SHIFTING, 2)
    sea.look()  # those for the next step are ready too
    decision = decide(sea.world())
    rounding = {n: decision.scales[n] / 200 for n in (1, 2)}
    done = {n: decision.shares[n].weight * decision.scales[n] / 100 for n in (1, 2)}
    assert abs(done[2] - replicas * step / 100) <= rounding[2] + 1e-9
    assert abs(done[1] - replicas * (100 - step) / 100) <= rounding[1] + 1e-9
