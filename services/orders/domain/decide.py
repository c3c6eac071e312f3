"""What a fact makes of a saga. Pure: a record, a fact and the time go in, a record and what follows come out.

Any fact may come at any time, twice, late, or after a crash; what changes nothing gives the record back as it is.
What is due next follows from the record alone (``due``), so whoever reads it can go on.

Orchestrated: we ask for each step. Choreographed: the services react to one another; we listen, and give up when
nothing is heard. Both take back in reverse order what was done, and what may have been done without our knowing. First
of all the parcel is withdrawn, for both by a call: if a carrier has it, then there is nothing to take back any more.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from orders.domain.errors import WrongStateError
from orders.domain.order import Flow
from orders.domain.saga import (
    UNDOABLE,
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

STEPS = tuple(Step)


def begin(order_id: str, flow: Flow, now: datetime, policy: Policy) -> Saga:
    """The saga of an order that is being placed."""
    saga = Saga(id=order_id, type=flow, status=SagaStatus.RUNNING, started_at=now, updated_at=now)
    return _enter(saga, Step.RESERVE, now, policy)


def due(saga: Saga, now: datetime) -> Call | TimeUp | None:
    """What is to be done about a saga now: a call, a look at what took too long, or nothing."""
    if saga.due_at is None or saga.due_at > now:
        return None
    if saga.status is SagaStatus.COMPENSATING and (saga.type is Flow.ORCHESTRATED or saga.to_undo[0] is Step.SHIP):
        return Call(saga.to_undo[0], undo=True)
    if saga.type is Flow.CHOREOGRAPHED:
        return TimeUp()
    if saga.current is Step.SHIP:
        return TimeUp()
    return Call(saga.current) if saga.current else None


def decide(saga: Saga, fact: Fact, now: datetime, policy: Policy) -> Decision:
    """Take a fact into account. Raises ``WrongStateError`` for a person's decision that is no longer possible."""
    decision = _react(saga, fact, now, policy)
    if decision.saga is saga:
        return decision
    return replace(decision, saga=replace(decision.saga, updated_at=now))


def _react(saga: Saga, fact: Fact, now: datetime, policy: Policy) -> Decision:  # noqa: C901, PLR0911 - one line a kind of fact
    if isinstance(fact, Resolved):
        return _resolved(saga, fact, now, policy)
    if saga.status is SagaStatus.ABANDONED:
        return Decision(saga)
    match fact:
        case Done(step):
            return _done(saga, step, now, policy)
        case Refused(step, reason):
            return _refused(saga, step, reason, now, policy)
        case Promised():
            return _promised(saga, now, policy)
        case Failed(step, cause):
            return _failed(saga, step, cause, now, policy)
        case Undone(step):
            return _undone(saga, step, now, policy)
        case UndoFailed(step, cause):
            return _undo_failed(saga, step, cause, now, policy)
        case TooLate():
            return _too_late(saga)
        case TimeUp():
            return _time_up(saga, now, policy)
        case CancelAsked(reason):
            return _cancelled(saga, reason, now, policy)


def _enter(saga: Saga, step: Step, now: datetime, policy: Policy) -> Saga:
    """Begin a step: calls are due at once, what we only wait for when its time is up."""
    patience = timedelta(0)
    if saga.type is Flow.CHOREOGRAPHED:
        patience = policy.choreography
    elif step is Step.SHIP:
        patience = policy.step_timeout
    return replace(saga, current=step, attempts=0, waits_since=None, trouble=None, due_at=now + patience)


def _done(saga: Saga, step: Step, now: datetime, policy: Policy) -> Decision:
    if saga.status is not SagaStatus.RUNNING:
        return _done_late(saga, step, now, policy)
    if step in saga.completed or (saga.type is Flow.ORCHESTRATED and step is not saga.current):
        return Decision(saga)
    # Events of different services overtake one another, but each was made only because of the step before.
    completed = STEPS[: STEPS.index(step) + 1]
    if step is Step.CONFIRM or (saga.type is Flow.CHOREOGRAPHED and step is Step.SHIP):
        return _completed(saga)
    following = STEPS[len(completed)]
    effects = (Effect.REQUEST_SHIPMENT,) if saga.type is Flow.ORCHESTRATED and following is Step.SHIP else ()
    return Decision(_enter(replace(saga, completed=completed), following, now, policy), effects)


def _completed(saga: Saga) -> Decision:
    ended = replace(saga, status=SagaStatus.COMPLETED, completed=STEPS, to_undo=(), current=None, due_at=None)
    ended = replace(ended, attempts=0, waits_since=None, reason=None, trouble=None, asked=False)
    return Decision(ended, () if Step.CONFIRM in saga.completed else (Effect.CONFIRM,))


def _done_late(saga: Saga, step: Step, now: datetime, policy: Policy) -> Decision:
    """A step that was done although the order was given up meanwhile has to be taken back as well."""
    known = (*saga.to_undo, *saga.undone)
    if saga.status is SagaStatus.COMPLETED or step not in UNDOABLE or step in known:
        return Decision(saga)
    reopened = replace(saga, completed=_ordered((*saga.completed, step)))
    return Decision(_compensating(reopened, (*saga.to_undo, step), saga.reason, now, policy))


def _refused(saga: Saga, step: Step, reason: str, now: datetime, policy: Policy) -> Decision:
    if step is Step.SHIP and step in saga.to_undo:
        return _undone(saga, step, now, policy)  # there is no parcel, and there won't be one
    if saga.status is not SagaStatus.RUNNING or step in saga.completed:
        return Decision(saga)
    if saga.type is Flow.ORCHESTRATED and step is not saga.current:
        return Decision(saga)
    saga = replace(saga, completed=STEPS[: STEPS.index(step)])
    to_undo = tuple(done for done in saga.completed if done in UNDOABLE and done not in saga.undone)
    return _give_back(saga, to_undo, reason, now, policy)


def _promised(saga: Saga, now: datetime, policy: Policy) -> Decision:
    if saga.status is not SagaStatus.RUNNING or saga.current is not Step.PAY:
        return Decision(saga)
    since = saga.waits_since or now
    if now - since >= policy.promised:
        return _give_back(saga, _perhaps_done(saga), "the payment was promised and never made", now, policy)
    return Decision(replace(saga, attempts=0, waits_since=since, due_at=now + policy.step_timeout))


def _failed(saga: Saga, step: Step, cause: str, now: datetime, policy: Policy) -> Decision:
    if saga.status is not SagaStatus.RUNNING or step is not saga.current:
        return Decision(saga)
    attempts = saga.attempts + 1
    if attempts >= policy.tries:
        return _give_back(saga, _perhaps_done(saga), f"{step}: {cause}", now, policy)
    wait = _backoff(attempts, policy)
    return Decision(replace(saga, attempts=attempts, due_at=now + wait, trouble=f"{step}: {cause}"))


def _undone(saga: Saga, step: Step, now: datetime, policy: Policy) -> Decision:
    open_ = saga.status in (SagaStatus.COMPENSATING, SagaStatus.STUCK)
    if not open_ or step not in saga.to_undo:
        return _undone_before(saga, step)
    left = tuple(other for other in saga.to_undo if other is not step)
    saga = replace(saga, undone=(*saga.undone, step), status=SagaStatus.COMPENSATING)
    if not left:
        return _taken_back(saga)
    # Without a parcel the order can be cancelled for certain: the customer may know, and in a choreography all others.
    told = step is Step.SHIP and (saga.asked or saga.type is Flow.CHOREOGRAPHED)
    return Decision(_compensating(saga, left, saga.reason, now, policy), (Effect.CANCEL,) if told else ())


def _undone_before(saga: Saga, step: Step) -> Decision:
    """Word of a refund may overtake word of its charge. It is final, so the charge needs no taking back any more.

    A release isn't: a payment that comes late takes the goods anew. Where that was overtaken we ask again.
    """
    ours = saga.type is Flow.CHOREOGRAPHED and saga.status is not SagaStatus.COMPLETED
    if not ours or step is not Step.PAY or step in saga.undone:
        return Decision(saga)
    return Decision(replace(saga, undone=(*saga.undone, step)))


def _too_late(saga: Saga) -> Decision:
    """A carrier has the parcel, and it is paid: the order goes its way."""
    open_ = saga.status in (SagaStatus.COMPENSATING, SagaStatus.STUCK)
    return _completed(saga) if open_ and Step.SHIP in saga.to_undo else Decision(saga)


def _undo_failed(saga: Saga, step: Step, cause: str, now: datetime, policy: Policy) -> Decision:
    if saga.status is not SagaStatus.COMPENSATING or step is not saga.to_undo[0]:
        return Decision(saga)
    attempts = saga.attempts + 1
    saga = replace(saga, attempts=attempts, trouble=f"undo {step}: {cause}")
    if attempts >= policy.undo_tries:
        return Decision(replace(saga, status=SagaStatus.STUCK, due_at=None), (Effect.GIVE_UP,))
    return Decision(replace(saga, due_at=now + _backoff(attempts, policy)))


def _time_up(saga: Saga, now: datetime, policy: Policy) -> Decision:
    if saga.due_at is None or saga.due_at > now:
        return Decision(saga)
    if saga.status is SagaStatus.RUNNING:
        if saga.type is Flow.CHOREOGRAPHED:
            return _give_back(saga, _perhaps_done(saga), f"{saga.current}: nothing was heard in time", now, policy)
        if saga.current is Step.SHIP:
            decision = _failed(saga, Step.SHIP, "no carrier was found in time", now, policy)
            if decision.saga.status is not SagaStatus.RUNNING:
                return decision
            again = replace(decision.saga, due_at=now + policy.step_timeout)
            return Decision(again, (Effect.REQUEST_SHIPMENT,))
    if saga.status is SagaStatus.COMPENSATING and saga.type is Flow.CHOREOGRAPHED:
        decision = _undo_failed(saga, saga.to_undo[0], "nothing was heard in time", now, policy)
        told = Effect.ANNOUNCE_CANCELLATION
        return decision if decision.effects else replace(decision, effects=(told,))
    return Decision(saga)


def _cancelled(saga: Saga, reason: str, now: datetime, policy: Policy) -> Decision:
    """The customer wants it cancelled: it is at once, unless there may be a parcel that has to be withdrawn first."""
    saga = replace(saga, asked=True)
    if saga.status in (SagaStatus.RUNNING, SagaStatus.COMPLETED):
        return _give_back(saga, _perhaps_done(saga), reason, now, policy)
    return Decision(saga, () if Step.SHIP in saga.to_undo else (Effect.CANCEL,))


def _resolved(saga: Saga, fact: Resolved, now: datetime, policy: Policy) -> Decision:
    if saga.ended:
        raise WrongStateError(f"the saga of order {saga.id} is {saga.status}: there is nothing left to resolve")
    if fact.action is Action.ABANDON:
        ended = replace(saga, status=SagaStatus.ABANDONED, current=None, due_at=None, reason=fact.reason)
        return Decision(ended, (Effect.CANCEL,))
    if saga.status is SagaStatus.RUNNING:
        if fact.action is Action.COMPENSATE:
            return _give_back(saga, _perhaps_done(saga), fact.reason, now, policy)
        again = _enter(saga, saga.current, now, policy) if saga.current else saga
        effects = (Effect.REQUEST_SHIPMENT,) if saga.type is Flow.ORCHESTRATED and saga.current is Step.SHIP else ()
        return Decision(replace(again, trouble=f"tried again: {fact.reason}"), effects)
    tell_again = saga.type is Flow.CHOREOGRAPHED and Step.SHIP not in saga.to_undo
    told = (Effect.ANNOUNCE_CANCELLATION,) if tell_again else ()
    return Decision(_compensating(saga, saga.to_undo, saga.reason, now, policy), told)


def _give_back(saga: Saga, steps: tuple[Step, ...], reason: str, now: datetime, policy: Policy) -> Decision:
    """Give the order up and take these steps back. In a choreography the others act when they hear of it."""
    if not steps:
        return _taken_back(replace(saga, reason=reason))
    told = Step.SHIP not in steps and (saga.asked or saga.type is Flow.CHOREOGRAPHED)
    return Decision(_compensating(saga, steps, reason, now, policy), (Effect.CANCEL,) if told else ())


def _compensating(saga: Saga, steps: tuple[Step, ...], reason: str | None, now: datetime, policy: Policy) -> Saga:
    waits = saga.type is Flow.CHOREOGRAPHED and Step.SHIP not in steps
    return replace(
        saga,
        status=SagaStatus.COMPENSATING,
        current=None,
        to_undo=tuple(reversed(_ordered(steps))),
        attempts=0,
        waits_since=None,
        due_at=now + policy.step_timeout if waits else now,
        reason=reason,
    )


def _taken_back(saga: Saga) -> Decision:
    ended = replace(saga, status=SagaStatus.COMPENSATED, current=None, to_undo=(), due_at=None, attempts=0)
    return Decision(replace(ended, waits_since=None, trouble=None), (Effect.CANCEL,))


def _perhaps_done(saga: Saga) -> tuple[Step, ...]:
    """What was done, and what may have been: a call without an answer, a parcel that we haven't heard of yet."""
    perhaps = Step.SHIP if saga.type is Flow.CHOREOGRAPHED else saga.current
    return _ordered(tuple(step for step in (*saga.completed, perhaps) if step in UNDOABLE and step not in saga.undone))


def _ordered(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    return tuple(step for step in STEPS if step in steps)


def _backoff(attempts: int, policy: Policy) -> timedelta:
    wait: timedelta = policy.backoff * 2 ** (attempts - 1)
    return min(policy.longest_backoff, wait)
