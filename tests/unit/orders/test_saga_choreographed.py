"""A choreographed saga passes the same invariants, in whatever order the messages of four services come."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orders.domain.decide import begin, decide, due
from orders.domain.order import Flow, Status
from orders.domain.saga import (
    Action,
    Call,
    CancelAsked,
    Done,
    Effect,
    Fact,
    Policy,
    Refused,
    Resolved,
    SagaStatus,
    Step,
    TimeUp,
    TooLate,
    Undone,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
POLICY = Policy()
RESERVE, PAY, SHIP, _ = Step
Message = tuple[str, Fact | str]
"""Who shall read it, and what it tells: a fact for orders, the name of an event for the others."""


@dataclass
class Inventory:
    state: str = "free"

    def react(self, event: str) -> list[Message]:
        match event, self.state:
            case "OrderPlaced", "free":
                self.state = "reserved"
                return [("orders", Done(RESERVE)), ("payments", "StockReserved")]
            case (("OrderCancelled" | "PaymentFailed" | "ShipmentFailed"), "reserved"):
                self.state = "barred"
                return [("orders", Undone(RESERVE))]
            case (("OrderCancelled" | "PaymentFailed" | "ShipmentFailed"), "free"):
                self.state = "barred"
                return []
            case "OrderCancelled", "barred":
                return [("orders", Undone(RESERVE))]  # asked again: told again
        return []


@dataclass
class Payments:
    declines: bool
    state: str = "theirs"

    def react(self, event: str) -> list[Message]:
        match event, self.state:
            case "StockReserved", "theirs" if self.declines:
                self.state = "barred"
                return [("orders", Refused(PAY, "declined")), ("inventory", "PaymentFailed")]
            case "StockReserved", "theirs":
                self.state = "ours"
                return [("orders", Done(PAY)), ("shipping", "PaymentCharged")]
            case (("OrderCancelled" | "ShipmentFailed"), "ours"):
                self.state = "barred"
                return [("orders", Undone(PAY))]
            case (("OrderCancelled" | "ShipmentFailed"), "theirs"):
                self.state = "barred"
                return []
            case "OrderCancelled", "barred":
                return [("orders", Undone(PAY))]
        return []


@dataclass
class Shipping:
    fails: bool
    state: str = "idle"

    def react(self, event: str) -> list[Message]:
        match event, self.state:
            case "PaymentCharged", "idle" if self.fails:
                self.state = "withdrawn"
                failed = "ShipmentFailed"
                return [("orders", Refused(SHIP, "nobody goes there")), ("payments", failed), ("inventory", failed)]
            case "PaymentCharged", "idle":
                self.state = "booked"
                return [("orders", Done(SHIP))]
            case "OrderCancelled", ("idle" | "booked"):
                self.state = "withdrawn"
        return []

    def withdraw(self) -> Fact:
        """What orders asks for by a call."""
        if self.state == "gone":
            return TooLate()
        self.state = "withdrawn"
        return Undone(SHIP)


@dataclass
class Shop:
    inventory: Inventory
    payments: Payments
    shipping: Shipping
    post: list[Message] = field(default_factory=list)

    def tell_all(self, event: str) -> None:
        self.post += [(name, event) for name in ("inventory", "payments", "shipping")]

    def deliver(self, message: Message, learn: Callable[[Fact], None]) -> None:
        reader, content = message
        if isinstance(content, str):
            service: Inventory | Payments | Shipping = getattr(self, reader)
            self.post += service.react(content)
        else:
            learn(content)


class Choreographed(RuleBasedStateMachine):
    """Messages come in any order, twice, late; time passes; anybody may cancel."""

    @initialize(declines=st.booleans(), fails=st.booleans())
    def begin(self, *, declines: bool, fails: bool) -> None:
        self.shop = Shop(Inventory(), Payments(declines), Shipping(fails))
        self.shop.post.append(("inventory", "OrderPlaced"))
        self.now = NOON
        self.saga = begin("o", Flow.CHOREOGRAPHED, NOON, POLICY)
        self.order = Status.PENDING

    def learn(self, fact: Fact) -> None:
        decision = decide(self.saga, fact, self.now, POLICY)
        self.saga = decision.saga
        for effect in decision.effects:
            match effect:
                case Effect.CONFIRM:
                    assert self.order is Status.PENDING
                    assert self.shop.payments.state == "ours", "confirmed unpaid"
                    self.order = Status.CONFIRMED
                case Effect.CANCEL | Effect.ANNOUNCE_CANCELLATION:
                    self.order = Status.CANCELLED
                    self.shop.tell_all("OrderCancelled")
                case Effect.GIVE_UP:
                    assert self.saga.status is SagaStatus.STUCK
                case _:
                    pytest.fail(f"{effect} has no place in a choreography")

    @precondition(lambda self: self.shop.post)
    @rule(data=st.data(), again=st.booleans())
    def a_message_comes(self, data: st.DataObject, *, again: bool) -> None:
        index = data.draw(st.integers(0, len(self.shop.post) - 1))
        message = self.shop.post[index]
        if not again:
            del self.shop.post[index]
        self.shop.deliver(message, self.learn)

    @rule(seconds=st.sampled_from([1, 31, 121]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def it_is_looked_at(self) -> None:
        todo = due(self.saga, self.now)
        if isinstance(todo, Call):
            assert todo == Call(SHIP, undo=True), "nobody else is called"
            self.learn(self.shop.shipping.withdraw())
        elif todo:
            self.learn(todo)

    @precondition(lambda self: self.shop.shipping.state == "booked")
    @rule()
    def a_carrier_collects_it(self) -> None:
        self.shop.shipping.state = "gone"

    @precondition(lambda self: self.order in (Status.PENDING, Status.CONFIRMED))
    @rule()
    def somebody_cancels(self) -> None:
        self.learn(CancelAsked("changed my mind"))

    @precondition(lambda self: not self.saga.ended)
    @rule(action=st.sampled_from([Action.RETRY, Action.COMPENSATE]))
    def somebody_resolves(self, action: Action) -> None:
        self.learn(Resolved(action, "by hand"))

    @invariant()
    def it_is_legal(self) -> None:
        if not hasattr(self, "saga"):
            return
        if self.saga.status is SagaStatus.COMPLETED:
            assert self.order is Status.CONFIRMED
        if self.saga.status is SagaStatus.COMPENSATED:
            assert self.order is Status.CANCELLED
        if self.saga.status is SagaStatus.COMPENSATING:
            assert (self.order is Status.CANCELLED) == (SHIP not in self.saga.to_undo)
        if self.shop.shipping.state == "gone":
            assert self.shop.payments.state == "ours", "a parcel is on its way, and not paid"
        assert not (set(self.saga.to_undo) & set(self.saga.undone))

    def teardown(self) -> None:
        if not hasattr(self, "saga"):
            return
        for _ in range(60):
            while self.shop.post:
                self.shop.deliver(self.shop.post.pop(0), self.learn)
            if self.saga.ended:
                break
            self.now = max(self.now, self.saga.due_at or self.now)
            if self.saga.status is SagaStatus.STUCK:
                self.learn(Resolved(Action.RETRY, "mended"))
            else:
                self.it_is_looked_at()
        self.it_is_legal()
        world = (self.shop.payments.state, self.shop.inventory.state, self.shop.shipping.state)
        if self.saga.status is SagaStatus.COMPLETED:
            assert world in {("ours", "reserved", "booked"), ("ours", "reserved", "gone")}
        else:
            assert self.saga.status is SagaStatus.COMPENSATED
            assert world in {("barred", "barred", "withdrawn"), ("barred", "barred", "idle")}


TestChoreographed = Choreographed.TestCase
TestChoreographed.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def test_it_listens_and_confirms_when_the_last_one_is_ready() -> None:
    saga = begin("o", Flow.CHOREOGRAPHED, NOON, POLICY)
    for step in (RESERVE, PAY):
        decision = decide(saga, Done(step), NOON, POLICY)
        saga = decision.saga
        assert (decision.effects, due(saga, NOON)) == ((), None)
    assert decide(saga, Done(SHIP), NOON, POLICY).effects == (Effect.CONFIRM,)


def test_silence_cancels_it_and_it_waits_for_the_others_to_give_back() -> None:
    saga = decide(begin("o", Flow.CHOREOGRAPHED, NOON, POLICY), Done(PAY), NOON, POLICY).saga
    assert saga.completed == (RESERVE, PAY), "who has paid has reserved"
    later = NOON + POLICY.choreography
    decision = decide(saga, TimeUp(), later, POLICY)
    assert decision.effects == ()
    assert due(decision.saga, later) == Call(SHIP, undo=True), "nobody knows whether there is a parcel"
    decision = decide(decision.saga, Undone(SHIP), later, POLICY)
    assert decision.effects == (Effect.CANCEL,)
    assert (decision.saga.status, decision.saga.to_undo) == (SagaStatus.COMPENSATING, (PAY, RESERVE))
    decision = decide(decision.saga, TimeUp(), later + POLICY.step_timeout, POLICY)
    assert decision.effects == (Effect.ANNOUNCE_CANCELLATION,), "it is told again"


def test_what_was_done_after_the_end_is_taken_back_too() -> None:
    saga = begin("o", Flow.CHOREOGRAPHED, NOON, POLICY)
    saga = decide(saga, CancelAsked("changed my mind"), NOON, POLICY).saga
    saga = decide(saga, Undone(SHIP), NOON, POLICY).saga
    assert saga.status is SagaStatus.COMPENSATED
    saga = decide(saga, Done(RESERVE), NOON, POLICY).saga
    assert (saga.status, saga.to_undo) == (SagaStatus.COMPENSATING, (RESERVE,))
    saga = decide(saga, Undone(RESERVE), NOON, POLICY).saga
    assert saga.status is SagaStatus.COMPENSATED
    assert decide(saga, Done(RESERVE), NOON, POLICY).saga is saga, "and the same message again changes nothing"


def test_a_refund_that_is_heard_before_its_charge_is_not_waited_for() -> None:
    saga = begin("o", Flow.CHOREOGRAPHED, NOON, POLICY)
    given_up = decide(decide(saga, CancelAsked("late"), NOON, POLICY).saga, Undone(SHIP), NOON, POLICY).saga
    paid_back = decide(given_up, Undone(PAY), NOON, POLICY).saga
    assert decide(paid_back, Done(PAY), NOON, POLICY).saga is paid_back
    assert paid_back.status is SagaStatus.COMPENSATED


def test_a_refund_that_is_heard_before_its_reason_is_not_waited_for() -> None:
    saga = begin("o", Flow.CHOREOGRAPHED, NOON, POLICY)
    for fact in (Done(PAY), Undone(PAY), Refused(SHIP, "nobody goes there")):
        saga = decide(saga, fact, NOON, POLICY).saga
    assert (saga.status, saga.to_undo) == (SagaStatus.COMPENSATING, (RESERVE,))
