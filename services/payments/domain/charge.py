"""The charge for an order: one state machine, whose events are its only memory.

::

    none ── intended ─┬─────────── charged ──┐
      │        │      ├── declined           │
      │     deferred ─┤                      │
      │               └── refunding ─────────┴── refunded
      └─ cancelled ───────── (nothing was charged)

A refund can be wished for before it is known whether the bank has charged: the bank's answer to it tells. Each
transition happens once or is refused, so whoever comes second (a retry, another pod, the schedule) changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Self

from payments.domain.errors import ImpossibleTransitionError
from payments.domain.events import (
    ChargeCancelled,
    ChargeDeclined,
    ChargeDeferred,
    ChargeIntended,
    ChargeSettled,
    Event,
    Refunded,
    RefundIntended,
)
from payments.domain.money import Money

PREFIX: Final = "charge/"


def stream_of(order: str) -> str:
    """The stream of the events of an order's charge."""
    return PREFIX + order


class Status(StrEnum):
    """Where a charge is."""

    NONE = "none"
    INTENDED = "intended"
    DEFERRED = "deferred"
    CHARGED = "charged"
    DECLINED = "declined"
    REFUNDING = "refunding"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"


_WAITING: Final = frozenset({Status.INTENDED, Status.DEFERRED})
_OVER: Final = frozenset({Status.DECLINED, Status.REFUNDED, Status.CANCELLED})
_UNANSWERED: Final = _WAITING | {Status.REFUNDING}

_FROM: Final[Mapping[type[Event], frozenset[Status]]] = {
    ChargeIntended: frozenset({Status.NONE}),
    ChargeDeferred: frozenset({Status.INTENDED}),
    ChargeSettled: _UNANSWERED,
    ChargeDeclined: _UNANSWERED,
    RefundIntended: _WAITING | {Status.CHARGED},
    Refunded: frozenset({Status.REFUNDING}),
    ChargeCancelled: frozenset({Status.NONE, Status.REFUNDING}),
}

_LEADS_TO: Final[Mapping[type[Event], Status]] = {
    ChargeIntended: Status.INTENDED,
    ChargeDeferred: Status.DEFERRED,
    ChargeSettled: Status.CHARGED,
    ChargeDeclined: Status.DECLINED,
    RefundIntended: Status.REFUNDING,
    Refunded: Status.REFUNDED,
    ChargeCancelled: Status.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Charge:
    """The charge for an order after so many events."""

    order: str
    version: int = 0
    status: Status = Status.NONE
    intent: ChargeIntended | None = None
    owed: bool = False
    """Whether the customer's debt is in the ledger."""
    collected: bool = False
    """Whether the bank is known to have taken the money, and not to have given it back."""
    reason: str | None = None

    def after(self, events: Iterable[Event]) -> Self:
        """The charge when these have happened too."""
        charge = self
        for event in events:
            settled, refunding = isinstance(event, ChargeSettled), charge.status is Status.REFUNDING
            status = _LEADS_TO[type(event)]
            charge = replace(
                charge,
                version=charge.version + 1,
                status=Status.REFUNDING if settled and refunding else status,
                intent=event if isinstance(event, ChargeIntended) else charge.intent,
                owed=settled or status is Status.DEFERRED or (charge.owed and status not in _OVER),
                collected=settled or (charge.collected and status is not Status.REFUNDED),
                reason=getattr(event, "reason", charge.reason),
            )
        return charge

    def allows(self, event: Event) -> bool:
        """Whether this may happen now. What the bank has taken can only be refunded, and only that can."""
        if self.status not in _FROM[type(event)]:
            return False
        return self.status is not Status.REFUNDING or self.collected == isinstance(event, Refunded)

    def take(self, event: Event) -> Self:
        """The charge after this. Raises ``ImpossibleTransitionError`` unless it may happen now."""
        if not self.allows(event):
            raise ImpossibleTransitionError(f"{type(event).__name__} isn't possible: {self.order} is {self.status}")
        return self.after([event])

    @property
    def asked(self) -> ChargeIntended:
        """What was asked for. Raises ``ImpossibleTransitionError`` where nothing was."""
        if self.intent is None:
            raise ImpossibleTransitionError(f"nothing was ever asked for {self.order}")
        return self.intent

    @property
    def money(self) -> Money:
        """How much it is about."""
        return Money(self.asked.amount, self.asked.currency)

    @property
    def open(self) -> bool:
        """Whether the bank still has to say something."""
        return self.status in {Status.INTENDED, Status.DEFERRED, Status.REFUNDING}
