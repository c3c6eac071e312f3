"""What can happen, as values; each is kept for ever under its type and schema version.

A field that is added or changes its meaning needs a new version and an upcaster (see ``upcasting``), because what was
written under the old one stays as it is.
"""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self, TypeVar

from payments.domain.errors import UnknownEventError
from payments.domain.upcasting import upcast


@dataclass(frozen=True, slots=True)
class Event:
    """Something that has happened."""

    TYPE: ClassVar[str]
    SCHEMA: ClassVar[int] = 1

    def data(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)

    @classmethod
    def read(cls, data: dict[str, Any]) -> Self:
        """From data of this class' version."""
        return cls(**data)


@dataclass(frozen=True, slots=True)
class Posted(Event):
    """An account was debited, or credited by an amount below zero, as part of an entry."""

    TYPE = "Posted"
    SCHEMA = 2

    entry: str
    kind: str
    order: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class ChargeIntended(Event):
    """A charge was asked for. Written before the bank is asked, so that no crash makes us forget that we may have."""

    TYPE = "ChargeIntended"
    SCHEMA = 2

    payment: str
    order: str
    customer: str
    amount: int
    currency: str
    method: str
    saga: str
    key: str


@dataclass(frozen=True, slots=True)
class ChargeDeferred(Event):
    """The bank didn't answer in time: the order is accepted and charged later."""

    TYPE = "ChargeDeferred"

    reason: str


@dataclass(frozen=True, slots=True)
class ChargeSettled(Event):
    """The bank has taken the money."""

    TYPE = "ChargeSettled"

    authorisation: str


@dataclass(frozen=True, slots=True)
class ChargeDeclined(Event):
    """The bank, or a fraud rule, said no. No money has moved."""

    TYPE = "ChargeDeclined"

    reason: str


@dataclass(frozen=True, slots=True)
class RefundIntended(Event):
    """The money shall go back. Written before the bank is asked."""

    TYPE = "RefundIntended"

    reason: str


@dataclass(frozen=True, slots=True)
class Refunded(Event):
    """The bank has given the money back."""

    TYPE = "Refunded"

    authorisation: str


@dataclass(frozen=True, slots=True)
class ChargeCancelled(Event):
    """Nothing was charged for this order, and nothing ever will be."""

    TYPE = "ChargeCancelled"

    reason: str


_CLASSES: dict[str, type[Event]] = {
    kind.TYPE: kind
    for kind in (
        Posted,
        ChargeIntended,
        ChargeDeferred,
        ChargeSettled,
        ChargeDeclined,
        RefundIntended,
        Refunded,
        ChargeCancelled,
    )
}

EventT = TypeVar("EventT", bound=Event)


def read(kind: str, schema: int, data: dict[str, Any]) -> Event:
    """The event that was stored under a type and version, as the newest version tells it.

    Raises ``UnknownEventError`` for what a newer revision has written: to guess would be to lose money.
    """
    cls = _CLASSES.get(kind)
    if cls is None or schema > cls.SCHEMA:
        raise UnknownEventError(f"{kind} version {schema} is not known to this revision")
    return cls.read(upcast(kind, data, schema, cls.SCHEMA))
