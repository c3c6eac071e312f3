"""Where orders and their sagas are kept, and the unit of work in which they change.

A unit is one transaction about one order: its row, its saga's, the events that tell of the change, the idempotency key
or the message that caused it. All of it is stored, or none. Rows have versions: a unit that was decided on an older one
ends with ``StaleError``, and whoever began it reads again and decides again.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from orders.domain.errors import OrderError
from orders.domain.order import Event, Order, Status
from orders.domain.saga import Saga, SagaStatus


class StaleError(Exception):
    """Somebody else was faster: what this unit was decided on isn't so any more."""


class SecondOrderError(Exception):
    """A unit tried to change two orders: each has a transaction of its own, or they would wait for each other."""


class KeyReusedError(OrderError):
    """An idempotency key came with another order than the first time."""

    def __init__(self) -> None:
        super().__init__("this idempotency key came with another order before: give each order its own")


@dataclass(frozen=True, slots=True)
class Lease:
    """Who drives a saga, and until when nobody else may. The end is a matter of speed; versions keep it right."""

    driver: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Work:
    """An order, its saga, and who drives it."""

    order: Order
    saga: Saga
    lease: Lease | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered under an idempotency key: which order, and how it was then."""

    order_id: str
    status: Status = Status.PENDING
    reason: str | None = None


class UnitOfWork(Protocol):
    """One transaction."""

    async def add(self, work: Work) -> Work:
        """Store a new order with its saga, and what is new about it."""

    async def get(self, order_id: str) -> Work | None:
        """An order with its saga."""

    async def save(self, before: Work, after: Work) -> Work:
        """Store what has changed between two states, and what is new about the order. Raises ``StaleError``."""

    async def publish(self, event: Event, work: Work) -> None:
        """Tell others of an order, in this transaction: they hear of it if and only if it is stored."""

    async def give_up(self, work: Work) -> None:
        """Put a stuck saga where people look for what no machine can settle."""

    async def first_time(self, message_id: str) -> bool:
        """Whether this message wasn't taken into account before; it is from now on."""

    async def answer(self, key: str, request: object) -> Answer | None:
        """What was answered under a key. ``request`` is JSON. Raises ``KeyReusedError`` when it was another one."""

    async def keep(self, key: str, request: object, answer: Answer) -> bool:
        """Keep an answer under a new key: False, and nothing is kept, where the key has one. Raises as ``answer``."""

    async def correct(self, key: str, answer: Answer) -> None:
        """Keep another answer under a key that has one."""


class Reading(Protocol):
    """What is looked at and not changed. Lists are the latest first, and go on after the last id of the page before."""

    async def order(self, order_id: str) -> Order | None:
        """An order."""

    async def orders(self, customer: str, *, limit: int, after: str | None) -> Sequence[Order]:
        """Orders of a customer."""

    async def saga(self, order_id: str) -> Saga | None:
        """The saga of an order."""

    async def sagas(self, statuses: Sequence[SagaStatus], *, limit: int, after: str | None) -> Sequence[Saga]:
        """Sagas in one of these states."""

    async def unended(self) -> dict[SagaStatus, int]:
        """How many sagas aren't at their end, by status."""


class Storage(Protocol):
    """Makes units of work."""

    @property
    def reading(self) -> Reading:
        """For looking."""

    def unit(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A transaction: stored when the block ends, dropped when it raises. ``StaleError`` may come at its end."""

    async def claim(self, lease: Lease, *, now: datetime, limit: int) -> Sequence[Work]:
        """Take over sagas of which something is due and that nobody drives: nobody else gets them."""

    async def renew(self, lease: Lease, order_ids: Collection[str]) -> None:
        """Prolong the leases that a driver has of these sagas."""

    async def forget(self, before: datetime) -> int:
        """Forget messages and idempotency keys that came before a moment, and give how many."""
