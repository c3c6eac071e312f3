"""The saga of an order: what is known about the way to its end, what can become known, and what follows at once.

A record of it is all that a process needs to go on where another one died. It has its order's id: there is one saga an
order. ``decide`` (in ``orders.domain.decide``) is the only thing that changes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from orders.domain.order import Flow


class Step(StrEnum):
    """The steps, in their order."""

    RESERVE = "reserve"
    PAY = "pay"
    SHIP = "ship"
    CONFIRM = "confirm"


UNDOABLE: Final = (Step.RESERVE, Step.PAY, Step.SHIP)
"""Steps that are taken back, the last one first: withdraw, refund, release. No refund for a parcel that has left."""


class SagaStatus(StrEnum):
    """How far it is. The last three are the end."""

    RUNNING = "running"
    COMPENSATING = "compensating"
    STUCK = "stuck"
    COMPLETED = "completed"
    COMPENSATED = "compensated"
    ABANDONED = "abandoned"


ENDED: Final = frozenset({SagaStatus.COMPLETED, SagaStatus.COMPENSATED, SagaStatus.ABANDONED})


@dataclass(frozen=True, slots=True)
class Saga:
    """The record. ``due_at`` is when something is to be done next if nothing is heard before; None: nothing is.

    ``attempts`` counts failures in a row at what is being done. ``to_undo`` is what compensation still has to take
    back, the next one first. ``waits_since`` is when a payment was promised that isn't made yet. ``asked`` tells that
    the customer wants the order cancelled. ``trail`` is what events that follow name as their correlation and cause.
    """

    id: str
    type: Flow
    status: SagaStatus
    started_at: datetime
    updated_at: datetime
    current: Step | None = Step.RESERVE
    completed: tuple[Step, ...] = ()
    to_undo: tuple[Step, ...] = ()
    undone: tuple[Step, ...] = ()
    attempts: int = 0
    waits_since: datetime | None = None
    due_at: datetime | None = None
    reason: str | None = None
    """Why the order was given up."""
    trouble: str | None = None
    """What went wrong last, while it isn't overcome."""
    asked: bool = False
    trail: Mapping[str, str] = field(default_factory=dict)
    version: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient a saga is."""

    step_timeout: timedelta = timedelta(seconds=30)
    tries: int = 6
    """Failures of a step in a row after which all is taken back: half a minute of outage. For a shipment, timeouts."""
    undo_tries: int = 8
    """Failures of a compensation in a row after which a person is asked."""
    backoff: timedelta = timedelta(seconds=1)
    """Wait after the first failure; each one doubles it."""
    longest_backoff: timedelta = timedelta(seconds=60)
    promised: timedelta = timedelta(hours=1)
    """How long a payment may stay promised."""
    choreography: timedelta = timedelta(minutes=2)
    """How long a choreographed order may be without news."""


@dataclass(frozen=True, slots=True)
class Done:
    """A step was done."""

    step: Step


@dataclass(frozen=True, slots=True)
class Refused:
    """A step can't be done, and asking again won't help."""

    step: Step
    reason: str


@dataclass(frozen=True, slots=True)
class Promised:
    """The payment was accepted and will be made later."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Nobody knows whether the step was done: no answer, or an answer that tells nothing."""

    step: Step
    cause: str


@dataclass(frozen=True, slots=True)
class Undone:
    """A step was taken back."""

    step: Step


@dataclass(frozen=True, slots=True)
class UndoFailed:
    """Taking a step back didn't work, or isn't proven yet."""

    step: Step
    cause: str


@dataclass(frozen=True, slots=True)
class TooLate:
    """The parcel can't be withdrawn: a carrier has it."""


@dataclass(frozen=True, slots=True)
class TimeUp:
    """``due_at`` is here and nothing was heard."""


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """The customer wants the order cancelled."""

    reason: str


class Action(StrEnum):
    """What a person may decide about a saga."""

    RETRY = "retry"
    COMPENSATE = "compensate"
    ABANDON = "abandon"


@dataclass(frozen=True, slots=True)
class Resolved:
    """A person decided."""

    action: Action
    reason: str


Fact = Done | Refused | Promised | Failed | Undone | UndoFailed | TooLate | TimeUp | CancelAsked | Resolved


class Effect(StrEnum):
    """What must happen to the order, or be told, in the transaction that stores the record."""

    REQUEST_SHIPMENT = "request shipment"
    CONFIRM = "confirm"
    CANCEL = "cancel"
    ANNOUNCE_CANCELLATION = "announce cancellation"
    GIVE_UP = "give up"


@dataclass(frozen=True, slots=True)
class Call:
    """A call to another service that is due: do a step, or take it back."""

    step: Step
    undo: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The record as it is now, and what has to go with it."""

    saga: Saga
    effects: tuple[Effect, ...] = ()
