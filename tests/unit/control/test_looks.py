"""How looks are measured."""

import pytest
from prometheus_client import REGISTRY

from seatrial.control.looks import Measured
from seatrial.evidence.question import Question
from seatrial.rollout.evidence import Counters, Look

QUESTION = Question("orders.shop.svc.cluster.local", {}, (1, 2))
PLACE = {"mesh_namespace": "shop", "mesh_service": "orders"}


class Source:
    """Gives the looks that it is given."""

    def __init__(self, *looks: Look | None) -> None:
        self.looks = list(looks)
        self.forgotten: list[str] = []

    async def look(self, question: Question, now: float) -> Look:
        look = self.looks.pop(0)
        if look is None:
            raise OSError("gone")
        return look

    def resume(self, host: str, counters: Counters) -> None:
        raise AssertionError("nobody resumes")

    def forget(self, host: str) -> None:
        self.forgotten.append(host)


def late() -> float:
    return REGISTRY.get_sample_value("seatrial_looks_late_total", {"source": "test"}) or 0.0


async def test_a_look_is_late_when_it_comes_more_than_a_fifth_over_its_second() -> None:
    begun = [10.0, 11.0, 12.3, 13.4]
    times = iter(time for begin in begun for time in (begin, begin + 0.1))
    measured = Measured("test", Source(*[Look(0.0)] * 4), lambda: next(times))
    before = late()
    for now in begun:
        await measured.look(QUESTION, now)
    assert late() == before + 1


async def test_silent_callers_and_problems_are_told_until_the_trial_is_over() -> None:
    source = Source(Look(0.0, silent=("a", "b"), problems=("c",)), Look(1.0))
    measured = Measured("test", source)
    await measured.look(QUESTION, 0.0)
    assert REGISTRY.get_sample_value("seatrial_silent_callers", PLACE) == 2
    assert REGISTRY.get_sample_value("seatrial_evidence_problems", PLACE) == 1
    await measured.look(QUESTION, 1.0)
    assert REGISTRY.get_sample_value("seatrial_silent_callers", PLACE) == 0
    measured.forget(QUESTION.host)
    assert source.forgotten == [QUESTION.host]
    assert REGISTRY.get_sample_value("seatrial_silent_callers", PLACE) is None


async def test_a_trial_that_ends_before_its_first_answer_is_forgotten_too() -> None:
    measured = Measured("test", Source(None))
    with pytest.raises(OSError, match="gone"):
        await measured.look(QUESTION, 0.0)
    measured.forget(QUESTION.host)
