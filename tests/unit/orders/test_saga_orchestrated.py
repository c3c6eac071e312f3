"""An orchestrated saga ends in a legal state, whatever happens to its calls, its process, its clock and its order."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orders.domain.decide import begin, decide, due
from orders.domain.errors import WrongStateError
from orders.domain.order import Flow, Status
from orders.domain.saga import (
    Action,
    Call,
    CancelAsked,
    Decision,
    Done,
    Effect,
    Fact,
    Failed,
    Policy,
    Promised,
    Refused,
    Resolved,
    Saga,
    SagaStatus,
    Step,
    TimeUp,
    TooLate,
    UndoFailed,
    Undone,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
POLICY = Policy(tries=3)
RESERVE, PAY, SHIP, CONFIRM = Step


@dataclass
class World:
    """Inventory and payments: each does a thing once, and nothing any more for an order that was taken back."""

    soldout: bool = False
    declined: bool = False
    promises: bool = False
    parcel: str = "none"
    stock: str = "free"
    money: str = "theirs"
    taken_back: list[Step] = field(default_factory=list)

    def do(self, call: Call) -> Fact:  # noqa: C901, PLR0911 - one answer a call
        match call:
            case Call(Step.SHIP):
                if self.parcel == "gone":
                    return TooLate()
                self.parcel = "barred"
                self.taken_back.append(SHIP)
                return Undone(SHIP)
            case Call(Step.RESERVE, undo=True):
                self.stock = "barred"
                self.taken_back.append(RESERVE)
                return Undone(RESERVE)
            case Call(Step.PAY, undo=True):
                self.money = "barred"
                self.taken_back.append(PAY)
                return Undone(PAY)
            case Call(Step.RESERVE):
                if self.soldout or self.stock == "barred":
                    return Refused(RESERVE, "out of stock")
                self.stock = "reserved" if self.stock == "free" else self.stock
                return Done(RESERVE)
            case Call(Step.PAY):
                if self.declined or self.money == "barred":
                    return Refused(PAY, "declined")
                if self.promises:
                    return Promised()
                self.money = "ours"
                return Done(PAY)
            case _:
                if self.stock == "barred":
                    return Refused(CONFIRM, "the reservation is gone")
                self.stock = "committed"
                return Done(CONFIRM)


class Orchestrated(RuleBasedStateMachine):
    """Calls are answered, lost on their way or on the way back, or late; time passes; anybody may cancel."""

    @initialize(soldout=st.booleans(), declined=st.booleans(), promises=st.booleans())
    def begin(self, *, soldout: bool, declined: bool, promises: bool) -> None:
        # Mostly a world that gives what is asked for, or few runs would get far.
        self.world = World(soldout=soldout and declined, declined=declined and not soldout, promises=promises)
        self.now = NOON
        self.saga = begin("o", Flow.ORCHESTRATED, NOON, POLICY)
        self.order = Status.PENDING
        self.late: list[Call] = []
        self.facts: list[Fact] = []
        self.requested = False

    def learn(self, fact: Fact) -> None:
        decision = decide(self.saga, fact, self.now, POLICY)
        self.facts.append(fact)
        self.follow(decision)

    def follow(self, decision: Decision) -> None:
        was, self.saga = self.saga, decision.saga
        for effect in decision.effects:
            match effect:
                case Effect.CONFIRM:
                    assert self.order is Status.PENDING
                    assert self.world.money == "ours", "confirmed unpaid"
                    assert self.world.stock == "committed" or self.world.parcel == "gone"
                    self.order = Status.CONFIRMED
                case Effect.CANCEL:
                    self.order = Status.CANCELLED
                case Effect.REQUEST_SHIPMENT:
                    assert self.world.money == "ours", "an unpaid order is sent"
                    self.requested = True
                case Effect.GIVE_UP:
                    assert was.status is SagaStatus.COMPENSATING
                    assert self.saga.status is SagaStatus.STUCK
                case _:
                    pytest.fail(f"{effect} has no place in an orchestration")

    def todo(self) -> Call | TimeUp | None:
        return due(self.saga, self.now)

    @rule(fate=st.sampled_from(["answered", "answered", "request lost", "answer lost", "late", "crash", "crash after"]))
    def work(self, fate: str) -> None:
        todo = self.todo()
        if todo is None:
            return
        if isinstance(todo, TimeUp):
            self.learn(todo)
            return
        answer = self.world.do(todo) if fate in ("answered", "answer lost", "crash after") else None
        if fate == "late":
            self.late.append(todo)
        if fate.startswith("crash"):
            return  # nothing was stored: the next process finds the record as it was
        if answer is not None and fate == "answered":
            self.learn(answer)
        elif todo.undo:
            self.learn(UndoFailed(todo.step, "no answer"))
        else:
            self.learn(Failed(todo.step, "no answer"))

    @precondition(lambda self: self.late)
    @rule(data=st.data())
    def a_request_arrives_late(self, data: st.DataObject) -> None:
        self.world.do(self.late.pop(data.draw(st.integers(0, len(self.late) - 1))))

    @precondition(lambda self: self.requested)
    @rule(booked=st.booleans())
    def shipping_answers(self, *, booked: bool) -> None:
        if self.world.parcel == "none":
            self.world.parcel = "booked" if booked else "barred"
        self.learn(Refused(SHIP, "no carrier goes there") if self.world.parcel == "barred" else Done(SHIP))

    @precondition(lambda self: self.world.parcel == "booked")
    @rule()
    def a_carrier_collects_it(self) -> None:
        self.world.parcel = "gone"

    @precondition(lambda self: self.facts)
    @rule(data=st.data())
    def a_message_comes_again(self, data: st.DataObject) -> None:
        told = [fact for fact in self.facts if isinstance(fact, Done | Refused | Undone)]
        if told:
            self.learn(data.draw(st.sampled_from(told)))

    @rule(seconds=st.sampled_from([1, 31, 3601]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def the_promise_is_kept(self) -> None:
        self.world.promises = False

    @precondition(lambda self: self.order in (Status.PENDING, Status.CONFIRMED))
    @rule()
    def somebody_cancels(self) -> None:
        self.learn(CancelAsked("changed my mind"))
        parcel_first = SHIP in self.saga.to_undo
        assert parcel_first == (self.order is not Status.CANCELLED), "at once, unless there may be a parcel"

    @precondition(lambda self: not self.saga.ended)
    @rule(action=st.sampled_from([Action.RETRY, Action.COMPENSATE]))
    def somebody_resolves(self, action: Action) -> None:
        self.learn(Resolved(action, "by hand"))

    @invariant()
    def it_is_legal(self) -> None:
        if not hasattr(self, "saga"):
            return
        saga = self.saga
        assert saga.ended == (saga.due_at is None) or saga.status is SagaStatus.STUCK
        assert list(saga.to_undo) == sorted(saga.to_undo, key=list(Step).index, reverse=True), "in reverse order"
        assert list(saga.completed) == list(Step)[: len(saga.completed)]
        if self.world.parcel == "gone":
            assert self.world.money == "ours", "a parcel is on its way, and not paid"
            assert self.order is not Status.CANCELLED
        if saga.status is SagaStatus.COMPLETED:
            assert self.order is Status.CONFIRMED
        if saga.status is SagaStatus.COMPENSATED:
            assert self.order is Status.CANCELLED
            assert self.world.money != "ours", "cancelled, and not refunded"
            assert self.world.stock in ("free", "barred"), "cancelled, and not released"

    def teardown(self) -> None:
        if not hasattr(self, "saga"):
            return
        self.world.promises = False
        for _ in range(40):
            if self.saga.status is SagaStatus.STUCK:
                self.learn(Resolved(Action.RETRY, "mended"))
            if self.saga.ended:
                break
            self.now = max(self.now, self.saga.due_at or self.now)
            todo = self.todo()
            if isinstance(todo, Call):
                self.learn(self.world.do(todo))
            else:
                self.shipping_answers(booked=True)
        assert self.saga.ended
        while self.late:  # what was under way all the time arrives at last
            self.world.do(self.late.pop())
        self.it_is_legal()


TestOrchestrated = Orchestrated.TestCase
TestOrchestrated.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def follow(*facts: Fact, saga: Saga | None = None) -> tuple[Saga, list[Effect]]:
    """The record after these facts, each as soon as the record is due, and the effects."""
    effects: list[Effect] = []
    saga = saga or begin("o", Flow.ORCHESTRATED, NOON, POLICY)
    for fact in facts:
        decision = decide(saga, fact, max(saga.due_at or NOON, NOON), POLICY)
        saga = decision.saga
        effects += decision.effects
    return saga, effects


def test_it_reserves_pays_ships_and_confirms() -> None:
    saga, effects = follow(Done(RESERVE))
    assert (due(saga, NOON), effects) == (Call(PAY), [])
    saga, effects = follow(Done(PAY), saga=saga)
    assert (due(saga, NOON), effects) == (None, [Effect.REQUEST_SHIPMENT])
    assert saga.due_at == NOON + timedelta(seconds=30)
    saga, effects = follow(Done(SHIP), saga=saga)
    assert effects == []
    saga, effects = follow(Done(CONFIRM), saga=saga)
    assert (saga.status, saga.completed, effects) == (SagaStatus.COMPLETED, tuple(Step), [Effect.CONFIRM])


def test_what_fails_is_tried_again_and_then_taken_back_with_all_before_it() -> None:
    saga, _ = follow(Done(RESERVE), Failed(PAY, "no answer"))
    assert (saga.status, saga.attempts) == (SagaStatus.RUNNING, 1)
    saga, _ = follow(Failed(PAY, "no answer"), Failed(PAY, "no answer"), saga=saga)
    assert saga.to_undo == (PAY, RESERVE), "a charge without an answer may have come through"
    saga, effects = follow(Undone(PAY), Undone(RESERVE), saga=saga)
    assert (saga.status, effects, saga.reason) == (SagaStatus.COMPENSATED, [Effect.CANCEL], "pay: no answer")
    assert saga.trouble is None


def test_what_was_refused_needs_no_taking_back() -> None:
    saga, effects = follow(Refused(RESERVE, "out of stock"))
    assert (saga.status, effects, saga.reason) == (SagaStatus.COMPENSATED, [Effect.CANCEL], "out of stock")
    saga, _ = follow(Done(RESERVE), Refused(PAY, "declined"))
    assert saga.to_undo == (RESERVE,)


def test_a_shipment_that_nobody_answers_is_asked_for_again_and_then_given_up() -> None:
    saga, effects = follow(Done(RESERVE), Done(PAY), TimeUp(), TimeUp())
    assert effects == [Effect.REQUEST_SHIPMENT] * 3
    saga, effects = follow(TimeUp(), saga=saga)
    assert (saga.status, saga.to_undo, effects) == (SagaStatus.COMPENSATING, (SHIP, PAY, RESERVE), [])


def test_an_order_whose_parcel_has_left_is_confirmed_after_all() -> None:
    saga, _ = follow(Done(RESERVE), Done(PAY), TimeUp(), TimeUp(), TimeUp())
    assert due(saga, saga.due_at or NOON) == Call(SHIP, undo=True)
    saga, effects = follow(TooLate(), saga=saga)
    assert (saga.status, saga.to_undo, effects) == (SagaStatus.COMPLETED, (), [Effect.CONFIRM])


def test_a_customers_wish_counts_when_the_parcel_is_withdrawn_and_not_when_it_is_too_late() -> None:
    saga, _ = follow(Done(RESERVE), Done(PAY), Done(SHIP), Done(CONFIRM))
    saga, effects = follow(CancelAsked("found it cheaper"), saga=saga)
    assert (saga.to_undo, effects) == ((SHIP, PAY, RESERVE), [])
    assert follow(Undone(SHIP), saga=saga)[1] == [Effect.CANCEL]
    kept, effects = follow(TooLate(), saga=saga)
    assert (kept.status, kept.asked, effects) == (SagaStatus.COMPLETED, False, [])


def test_a_compensation_that_fails_waits_longer_each_time_and_then_asks_a_person() -> None:
    saga, _ = follow(Done(RESERVE), Refused(PAY, "declined"))
    waits = []
    for _ in range(POLICY.undo_tries - 1):
        at = saga.due_at or NOON
        saga = decide(saga, UndoFailed(RESERVE, "down"), at, POLICY).saga
        assert saga.due_at is not None
        waits.append((saga.due_at - at).total_seconds())
    assert waits == [1, 2, 4, 8, 16, 32, 60]
    saga, effects = follow(UndoFailed(RESERVE, "down"), saga=saga)
    assert (saga.status, effects, due(saga, NOON + timedelta(days=1))) == (SagaStatus.STUCK, [Effect.GIVE_UP], None)
    assert saga.undone == (), "what failed isn't told as done"
    saga, _ = follow(Resolved(Action.RETRY, "inventory is back"), saga=saga)
    assert due(saga, NOON + timedelta(days=1)) == Call(RESERVE, undo=True)


def test_news_of_what_was_thought_to_have_failed_unsticks_a_saga() -> None:
    saga, _ = follow(Done(RESERVE), Refused(PAY, "declined"), *[UndoFailed(RESERVE, "down")] * POLICY.undo_tries)
    saga, effects = follow(Undone(RESERVE), saga=saga)
    assert (saga.status, effects, saga.reason) == (SagaStatus.COMPENSATED, [Effect.CANCEL], "declined")


def test_a_payment_may_be_promised_but_not_for_ever() -> None:
    saga, _ = follow(Done(RESERVE), Promised())
    assert (due(saga, NOON), saga.current) == (None, PAY)
    assert follow(Done(PAY), saga=saga)[0].current is SHIP
    assert follow(Refused(PAY, "declined"), saga=saga)[0].to_undo == (RESERVE,)
    saga = decide(saga, Promised(), NOON + POLICY.promised, POLICY).saga
    assert saga.to_undo == (PAY, RESERVE)


def test_a_person_can_abandon_what_is_settled_by_hand_and_nothing_that_has_ended() -> None:
    saga, effects = follow(Done(RESERVE), Resolved(Action.ABANDON, "refunded at the counter"))
    assert (saga.status, saga.reason, effects) == (SagaStatus.ABANDONED, "refunded at the counter", [Effect.CANCEL])
    assert follow(Done(PAY), saga=saga)[0] is saga
    with pytest.raises(WrongStateError, match="nothing left to resolve"):
        follow(Resolved(Action.RETRY, "why not"), saga=saga)
