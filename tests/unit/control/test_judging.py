"""Who is looked at, how often, and from where another process goes on."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from seatrial.api.revision import Phase, Revision
from seatrial.control.judging import Judging, _nudge
from seatrial.evidence.ask import Pod
from seatrial.evidence.question import Question
from seatrial.rollout import checkpoint
from seatrial.rollout.analysis import Ledger
from seatrial.rollout.evidence import Counters, Look, Tally
from seatrial.rollout.world import Verdict
from support.sea import Sea, a_service

GATEWAY = Pod("shop", "gateway-1-x", "10.0.0.9")
STABLE_POD = Pod("shop", "orders-1-x", "10.0.0.8")


async def callers() -> dict[str, list[Pod]]:
    return {"shop/gateway": [GATEWAY]}


class Callers:
    """A source that has counted 5 requests of each revision at every look: good ones, unless it is told otherwise."""

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.resumed: dict[str, Counters] = {}
        self.forgotten: list[str] = []
        self.each = self.of_canary = Tally(5, 0, 5, 0, 5, 0, 5)
        self.held, self.waiting = asyncio.Event(), asyncio.Event()
        self.held.set()

    def hold(self) -> None:
        """The next looks last until `held` is set."""
        self.held.clear()
        self.waiting.clear()

    async def look(self, question: Question, now: float) -> Look:
        self.asked.append(question)
        self.waiting.set()
        await self.held.wait()
        stable, canary = question.revisions
        tallies = {stable: self.each, canary: self.of_canary}
        return Look(at=now, seconds=1.0, tallies=tallies, counters={GATEWAY.proxy: tallies})

    def resume(self, host: str, counters: Counters) -> None:
        self.resumed[host] = counters

    def forget(self, host: str) -> None:
        self.forgotten.append(host)


class Court:
    """A sea that is judged by the real thing, with its own clock."""

    def __init__(self, *, ports: bool = True, **rollout: Any) -> None:
        without: dict[str, Any] = {} if ports else {"port": None, "expose": []}
        self.sea = Sea(a_service(rollout={"steps": [10, 50], "analysis": {}} | rollout, **without)).sail()
        self.source = Callers()
        self.time = 1000.0
        self.begun: list[tuple[str, str]] = []
        self.judging = self.process()

    def process(self) -> Judging:
        return Judging(
            {"proxies": self.source},
            begun=lambda *service: self.begun.append(service),
            clock=lambda: self.time,
            now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        )

    def revisions(self) -> Sequence[Revision]:
        return list(self.sea.revisions.values())

    async def turn(self, seconds: float = 1.0) -> float | None:
        """One of the turns that looks have of their own."""
        self.time += seconds
        return await self.judging.look("shop", "orders")

    async def look(self, seconds: float = 1.0) -> Verdict | None:
        """A turn, and the pass that it leads to."""
        await self.turn(seconds)
        return await self.pass_()

    async def pass_(self) -> Verdict | None:
        self.sea.verdict = await self.judging.verdict(
            self.sea.service, self.revisions(), callers, lambda _: [STABLE_POD]
        )
        self.sea.look()
        return self.sea.verdict

    async def shifting(self) -> "Court":
        self.sea.change("two")
        for _ in range(10):
            await self.look()
        assert self.sea.phase(2) is Phase.SHIFTING
        return self


@pytest.fixture
async def court() -> Court:
    """Revision 2 has 10 % and is looked at."""
    return await Court().shifting()


@pytest.fixture
def among(court: Court, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred rollouts are under way."""
    monkeypatch.setattr(Judging, "rollouts", 100)


async def test_nobody_is_asked_where_no_rollout_is_under_way() -> None:
    court = Court()
    assert await court.look() is None
    assert not court.source.asked


async def test_nobody_is_asked_without_an_analysis() -> None:
    court = Court(analysis=None)
    court.sea.change("two")
    for _ in range(5):
        assert await court.look() is None
    assert not court.source.asked


async def test_callers_are_asked_about_stable_and_canary(court: Court) -> None:
    question = court.source.asked[-1]
    assert question.revisions == (1, 2)
    assert question.host == "orders.shop.svc.cluster.local"
    assert question.callers == {"shop/gateway": [GATEWAY]}
    assert question.stable_pods == [STABLE_POD]


async def test_looks_go_on_once_a_second_while_a_pass_waits_for_its_writes(court: Court) -> None:
    looks = len(court.source.asked)
    for _ in range(10):
        after = await court.turn()
        assert after is not None
        assert 0.9 < after < 1.1
    assert len(court.source.asked) == looks + 10


async def test_looks_of_different_services_drift_apart_and_those_of_one_keep_their_moment(court: Court) -> None:
    moments = []
    for _ in range(30):
        after = await court.turn(0)
        assert after is not None
        moments.append(court.time % 1)
        court.time += after
    assert max(moments[-5:]) - min(moments[-5:]) < 0.001
    assert _nudge("shop", "orders.shop", 0.5) != _nudge("bank", "ledger.bank", 0.5)


async def test_a_turn_that_comes_too_early_asks_nobody_and_says_when_it_is_time(court: Court) -> None:
    looks = len(court.source.asked)
    assert await court.turn(0.25) == pytest.approx(0.75)
    assert len(court.source.asked) == looks


async def test_the_turns_of_a_service_begin_with_its_first_look_and_end_with_its_rollout(court: Court) -> None:
    assert court.begun == [("shop", "orders")]
    court.sea.ask(2, "promote")
    while court.sea.phase(2) is not Phase.SUCCEEDED:
        await court.look()
    await court.look()
    assert await court.turn() is None


async def test_a_pass_looks_itself_where_no_turn_came(court: Court) -> None:
    looks = len(court.source.asked)
    court.time += 1.3
    await court.pass_()
    assert len(court.source.asked) == looks
    court.time += 0.2
    await court.pass_()
    assert len(court.source.asked) == looks + 1


async def test_a_pass_comes_by_itself_where_no_look_led_to_one(court: Court) -> None:
    assert court.judging.overdue("shop", "orders") == court.time + 1.5


async def test_each_look_calls_for_a_pass_where_few_rollouts_are_under_way(court: Court) -> None:
    await court.turn()
    assert court.judging.news("shop", "orders")


async def test_among_many_rollouts_a_pass_comes_from_time_to_time_where_nothing_happens(
    court: Court, among: None
) -> None:
    court.source.each = court.source.of_canary = Tally()
    called = []
    for _ in range(6):
        await court.turn()
        called.append(court.judging.news("shop", "orders"))
        if called[-1]:
            await court.pass_()
    assert called == [None, None, "some", None, None, "some"]


async def test_among_many_rollouts_a_bad_revision_is_found_no_later(monkeypatch: pytest.MonkeyPatch) -> None:
    async def found_after(rollouts: int) -> tuple[float, int]:
        monkeypatch.setattr(Judging, "rollouts", rollouts)
        court, passes = await Court().shifting(), 0
        court.source.of_canary = Tally(5, 1, 5, 1, 5, 0, 5)
        began, found = court.time, court.sea.verdict
        while found is None or found.finding != "Worse":
            assert court.time < began + 60
            await court.turn()
            if news := court.judging.news("shop", "orders"):
                found, passes = await court.pass_(), passes + 1
        assert news == "worse", "its pass goes before all that wait"
        return court.time - began, passes

    alone, among = await found_after(1), await found_after(100)
    assert alone[0] == among[0]
    assert alone[1] > among[1]


@pytest.mark.parametrize(("rollouts", "most"), [(1, 4), (100, 2)])
async def test_a_checkpoint_is_made_no_oftener_than_it_is_written(
    court: Court, monkeypatch: pytest.MonkeyPatch, rollouts: int, most: int
) -> None:
    monkeypatch.setattr(Judging, "rollouts", rollouts)
    made: list[Ledger] = []

    def dump(ledger: Ledger) -> str:
        made.append(ledger)
        return ""

    monkeypatch.setattr(checkpoint, "dump", dump)
    for _ in range(19):
        await court.turn()
    assert most - 1 <= len(made) <= most


async def test_a_pass_does_not_wait_for_a_look_under_way_nor_ask_beside_it(court: Court) -> None:
    before = court.sea.verdict
    court.source.hold()
    court.time += 2.0
    turn = asyncio.create_task(court.judging.look("shop", "orders"))
    await asyncio.wait_for(court.source.waiting.wait(), 5)
    looks = len(court.source.asked)
    assert await court.pass_() == before
    assert len(court.source.asked) == looks
    court.source.held.set()
    await turn
    assert await court.pass_() != before


async def test_what_a_look_brings_after_the_end_of_its_rollout_is_forgotten(court: Court) -> None:
    court.source.hold()
    court.time += 1.0
    turn = asyncio.create_task(court.judging.look("shop", "orders"))
    await asyncio.wait_for(court.source.waiting.wait(), 5)
    court.judging.forget("shop", "orders")
    court.source.held.set()
    await turn
    assert court.source.forgotten == ["orders.shop.svc.cluster.local"] * 2
    assert court.judging.rollouts == 0


async def test_no_pass_is_overdue_where_nothing_is_judged() -> None:
    court = Court()
    await court.look()
    assert court.judging.overdue("shop", "orders") is None


async def test_a_pass_within_the_second_brings_the_verdict_of_the_last_look(court: Court) -> None:
    looks = len(court.source.asked)
    before = await court.look(0.3)
    assert await court.look(0.3) == before
    assert len(court.source.asked) == looks


async def test_latency_is_asked_for_at_its_boundary() -> None:
    court = Court(analysis={"latency": {"slowerThan": "250ms"}})
    await court.shifting()
    assert court.source.asked[-1].slower_than == 250


async def test_another_process_goes_on_from_the_checkpoint_in_the_status(court: Court) -> None:
    for _ in range(10):
        await court.look()
    court.judging = court.process()
    found = await court.look()
    assert found
    assert found.evidence.restarts == 0
    assert found.evidence.slos[0].canary.total >= 50
    assert court.source.resumed["orders.shop.svc.cluster.local"][GATEWAY.proxy][2].requests == 5


async def test_an_edited_policy_begins_anew_and_says_so(court: Court) -> None:
    court.sea.change("two", traffic={"timeout": "3s"})
    found = await court.look()
    assert found
    assert found.evidence.restarts == 1
    assert found.evidence.slos[0].canary.total == 5


async def test_evidence_that_begins_anew_is_an_event(court: Court) -> None:
    court.sea.change("two", traffic={"timeout": "3s"})
    court.time += 1
    court.sea.verdict = await court.judging.verdict(court.sea.service, court.revisions(), callers, lambda _: [])
    assert [e.reason for e in court.sea.look().events] == ["EvidenceRestarted"]


async def test_edited_steps_go_on_with_what_was_counted(court: Court) -> None:
    before = await court.look()
    assert before
    court.sea.change("two", rollout={"steps": [20, 60], "analysis": {}})
    after = await court.look()
    assert after
    assert after.evidence.restarts == 0
    assert after.evidence.slos[0].canary.total > before.evidence.slos[0].canary.total


async def test_a_new_attempt_has_fresh_evidence(court: Court) -> None:
    court.sea.ask(2, "abort")
    while court.sea.phase(2) is not Phase.ABORTED:
        await court.look()
    await court.look()
    court.sea.ask(2, "retry")
    found = await court.look() or await court.look()
    assert found
    assert found.evidence.slos[0].canary.total <= 10
    assert found.evidence.restarts == 0


async def test_a_host_is_forgotten_when_its_rollout_is_over(court: Court) -> None:
    court.sea.ask(2, "promote")
    for _ in range(20):
        await court.look()
    assert court.sea.phase(2) is Phase.SUCCEEDED
    assert court.source.forgotten == ["orders.shop.svc.cluster.local"]


async def test_a_host_is_looked_at_once_a_second_over_time(court: Court) -> None:
    looks = len(court.source.asked)
    for _ in range(10):
        await court.look(1.0)
    assert len(court.source.asked) == looks + 10


async def test_of_a_service_without_ports_its_own_pods_are_asked() -> None:
    court = Court(ports=False)
    await court.shifting()
    question = court.source.asked[-1]
    assert question.workers == {1: [STABLE_POD], 2: [STABLE_POD]}
    assert question.stable_pods == ()
    assert question.protocol == "http"
