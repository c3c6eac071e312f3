"""What a pod reads of its share, and the law of the ration that it draws from it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.share import UNTOLD_SECONDS, Part, Ration, Share


def annotations(**told: object) -> str:
    return "\n".join(f'seatrial.dev/{name}="{value}"' for name, value in told.items())


def test_outside_of_a_mesh_a_process_does_everything(tmp_path: Path) -> None:
    share = Share(tmp_path / "annotations")
    assert (share.weight(), share.idle(), share.turn(), share.part.held_back) == (1.0, False, True, False)


def test_the_file_of_the_downward_api_is_read_among_other_annotations() -> None:
    text = (
        'istio.io/rev="default"\n' + annotations(role="canary", weight=40, share=10, peers=2) + '\nnote="a=\\"b\\""\n'
    )
    part = Part.parse(text)
    assert part == Part("canary", 0.4, 0.1, 2)
    assert part.of_all == 0.05
    assert part.held_back


@pytest.mark.parametrize(
    ("told", "held_back"),
    [
        ({"role": "stable", "weight": 90, "share": 90, "peers": 4}, False),  # takes what is left over
        ({"role": "canary", "weight": 100, "share": 100, "peers": 2}, False),  # the first revision, or all but promoted
        ({"role": "canary", "weight": 100, "share": 50, "peers": 1}, True),  # as much as it can is still half of all
        ({"role": "kept", "weight": 0, "share": 0, "peers": 2}, True),
        ({"role": "stable", "weight": 0}, True),  # not told yet
    ],
)
def test_only_the_stable_revision_is_not_held_back(told: dict[str, object], held_back: bool) -> None:  # noqa: FBT001
    assert Part.parse(annotations(**told)).held_back == held_back


def test_a_change_is_seen_within_a_second_and_what_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    now, file = 100.0, tmp_path / "annotations"
    share = Share(file, clock=lambda: now)
    file.write_text(annotations(role="canary", weight=20))
    assert share.weight() == 0.2
    for broken in ("lots", "101", "-1", "nan"):
        file.write_text(annotations(role="canary", weight=broken))
        now += 1
        assert share.weight() == 0.2
    file.write_text(annotations(role="kept", weight=0))
    assert not share.idle(), "read once a second at most"
    now += 1
    assert share.idle()
    assert not share.turn()


def test_a_pod_that_nobody_tells_anything_does_its_work_in_the_end(tmp_path: Path) -> None:
    now, file = 100.0, tmp_path / "annotations"
    share = Share(file, clock=lambda: now)
    file.write_text(annotations(role="kept", weight=0))
    assert share.idle()
    now += UNTOLD_SECONDS - 1
    assert share.idle()
    now += 1
    assert (share.idle(), share.part.held_back, share.part.of_all) == (False, False, 1.0)
    file.write_text(annotations(role="canary", weight=10, share=10, peers=1))  # an operator is back
    now += 1
    assert share.weight() == 0.1


@pytest.mark.parametrize("role", ["canary", "kept"])
def test_a_pod_that_was_told_to_touch_nothing_waits_as_long_as_it_takes(tmp_path: Path, role: str) -> None:
    now, file = 100.0, tmp_path / "annotations"
    share = Share(file, clock=lambda: now)
    file.write_text(annotations(role=role, weight=0, share=0, peers=1))
    assert share.idle()
    file.write_text(annotations(role="kept", weight=0))  # as a file looks whose pod is about to go
    now += 100 * UNTOLD_SECONDS
    assert share.idle()


def test_a_canary_takes_its_turn_as_often_as_its_weight_says(tmp_path: Path) -> None:
    (tmp_path / "annotations").write_text(annotations(role="canary", weight=30))
    draws = iter([0.29, 0.3, 0.99])
    share = Share(tmp_path / "annotations", draw=lambda: next(draws))
    assert [share.turn() for _ in range(3)] == [True, False, False]


@given(
    part=st.floats(0.01, 1),
    start=st.floats(0, 1, exclude_max=True),
    others=st.lists(st.integers(0, 30), min_size=1, max_size=60),
    able=st.lists(st.booleans(), min_size=60, max_size=60),
)
def test_over_any_time_a_pod_takes_at_most_its_part_of_all_and_one(
    part: float, start: float, others: list[int], able: list[bool]
) -> None:
    ration = Ration(most=1000, draw=lambda: start)
    total = taken = 0
    ration.delivered(total, part)
    for more, can in zip(others, able, strict=False):
        total += more
        ration.delivered(total, part)
        while can and ration.left and taken < 5000:
            total += 1
            taken += 1
            ration.took()
        assert taken <= part * total + 1 + 1e-6
    if part < 0.9 and all(able):
        ration.delivered(total, part)
        assert taken + ration.left >= part * total - 1 - 1e-6, "and no less, where it is able to"


def test_many_pods_of_one_revision_together_take_its_part() -> None:
    pods = [Ration(most=64) for _ in range(4)]
    total = taken = 0
    for _ in range(4000):
        total += 1
        for pod in pods:
            pod.delivered(total, 0.2 / 4)
            if pod.left:
                pod.took()
                taken += 1
                total += 1
    assert taken / total == pytest.approx(0.2, abs=0.01)


def test_what_was_missed_is_caught_up_a_little_and_not_all_of_it() -> None:
    ration = Ration(most=10, draw=lambda: 0.0)
    for total in range(0, 100_000, 10):
        ration.delivered(total, 0.1)
    assert ration.left == 10


def test_a_consumer_that_was_made_anew_counts_from_the_start() -> None:
    ration = Ration(most=10, draw=lambda: 0.0)
    ration.delivered(50_000, 0.5)
    ration.delivered(1, 0.5)
    ration.delivered(9, 0.5)
    assert ration.left == 4
