"""An account: what its postings add up to, and the one rule that some accounts have.

A customer's account never sinks below zero: nobody can pay more than they owe, nor the same debt twice. That is the
second wall behind the charge's own states, and it is decided on what the events add up to, never on a projection.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from payments.domain.entries import Entry, is_customer
from payments.domain.errors import OverpaidError
from payments.domain.events import Event, Posted

PREFIX: Final = "account/"
STATE_SCHEMA: Final = 1
"""Version of what a snapshot holds: one of another version isn't read, the events are."""


def stream_of(account: str) -> str:
    """The stream of an account's events."""
    return PREFIX + account


@dataclass(frozen=True, slots=True)
class Account:
    """An account after so many events; ``balances`` are minor units by currency."""

    name: str
    version: int = 0
    balances: Mapping[str, int] = field(default_factory=dict)

    def after(self, events: Iterable[Event]) -> Self:
        """The account when these have happened too."""
        version, balances = self.version, dict(self.balances)
        for event in events:
            version += 1
            if isinstance(event, Posted):
                balances[event.currency] = balances.get(event.currency, 0) + event.amount
        return type(self)(self.name, version, balances)

    def post(self, *entries: Entry) -> list[Posted]:
        """The events by which entries touch this account. Raises ``OverpaidError`` where it would sink below zero."""
        events = [
            Posted(entry=entry.id, kind=entry.kind, order=entry.order, amount=amount, currency=entry.currency)
            for entry in entries
            if (amount := entry.postings.get(self.name))
        ]
        if is_customer(self.name):
            for count in range(1, len(events) + 1):
                short = {c: b for c, b in self.after(events[:count]).balances.items() if b < 0}
                if short:
                    raise OverpaidError(f"{self.name} would be paid {-min(short.values())} more than is owed")
        return events

    def state(self) -> dict[str, Any]:
        """As a snapshot holds it."""
        return {"balances": dict(self.balances)}

    @classmethod
    def restored(cls, name: str, version: int, state: dict[str, Any]) -> Self:
        """From a snapshot."""
        return cls(name, version, state["balances"])
