"""Charging an order exactly once, whatever is repeated and whatever crashes.

Three steps, each of which may be the last one a process lives to see:

1. The intent is written, with the reference under which the bank will be asked. One intent an order.
2. The bank is asked, outside of any transaction. It takes the same reference for the same wish.
3. Its answer is written, together with all that follows from it. One answer a charge.

A process that dies after 1 leaves an open charge behind; ``settle`` finds it, asks the bank what it knows, and goes on
from there. The same happens when the bank doesn't answer in time: the order is accepted and charged later.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from chassis.database import Database, Session
from chassis.idempotency import Answer as Kept
from chassis.idempotency import IdempotencyKeys
from chassis.ids import new_id
from payments.bank.messages import Answer, Ask, NoAnswerError, Verdict, Wish
from payments.books import Books
from payments.deciding import decide
from payments.domain.charge import Charge, Status
from payments.domain.errors import PaymentError
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
from payments.origin import Origin
from payments.screening import Screening
from payments.store import accounts, work
from payments.store.event_store import ConflictError

_log = logging.getLogger(__name__)

Meaning: TypeAlias = Callable[[Charge], tuple[Event, ...]]
"""What shall happen to a charge, as it is when that is written down."""

_SCOPE: Final = "charge"
_SETTLED_AT_ONCE: Final = 8


class Bank(Protocol):
    """The bank, as the rest of payments sees it."""

    async def ask(self, ask: Ask) -> Answer:
        """Ask it. Raises ``NoAnswerError``."""
        ...


class DifferentChargeError(PaymentError):
    """The order has a charge already, about something else."""


@dataclass(frozen=True, slots=True)
class Charged:
    """What shall be charged. ``key`` is the caller's idempotency key."""

    order: str
    customer: str
    money: Money
    method: str
    saga: str
    key: str


class Charging:
    """The use cases of charges and refunds. ``patience`` is how many seconds a caller is made to wait for the bank."""

    def __init__(self, database: Database, books: Books, screening: Screening, bank: Bank, *, patience: float) -> None:
        self._database = database
        self._books = books
        self._screening = screening
        self._bank = bank
        self._patience = patience
        self._keys = IdempotencyKeys()

    async def find(self, order: str) -> Charge:
        """The charge for an order."""
        async with self._database.transaction() as session:
            return await accounts.charge(session, order)

    async def charge(self, wanted: Charged, origin: Origin) -> Charge:
        """Charge an order, or tell how its charge stands. Raises ``DifferentChargeError`` and ``KeyReused``."""
        charge, first = await decide(self._database, lambda session: self._intend_by_key(session, wanted, origin))
        if charge.status is not Status.INTENDED:
            return charge
        return await self._pursue(charge, origin=origin if first else None)

    async def _intend_by_key(self, session: Session, wanted: Charged, origin: Origin) -> tuple[Charge, bool]:
        """The charge, and whether its key came for the first time.

        The same key is the same request. Its answer is how the charge stands, so the key keeps the order's name.
        """
        request = [wanted.order, wanted.customer, wanted.money.as_dict(), wanted.method]
        answer = Kept(202, {"orderId": wanted.order})
        known = await self._keys.claim(session, wanted.key, scope=_SCOPE, request=request, answer=answer)
        return await self.intend(session, wanted, origin), known is None

    async def intend(self, session: Session, wanted: Charged, origin: Origin) -> Charge:
        """Write down that an order shall be charged, unless that stands there or the fraud rules say no."""
        charge = await accounts.charge(session, wanted.order)
        if charge.intent is not None:
            intent = charge.intent
            if (intent.customer, charge.money, intent.method) != (wanted.customer, wanted.money, wanted.method):
                raise DifferentChargeError(f"the charge for {wanted.order} is about something else")
        if charge.status is not Status.NONE:
            return charge
        intent = ChargeIntended(
            payment=new_id(),
            order=wanted.order,
            customer=wanted.customer,
            amount=wanted.money.amount,
            currency=wanted.money.currency,
            method=wanted.method,
            saga=wanted.saga,
            key=wanted.key,
        )
        happened: list[Event] = [intent]
        refusal = await self._screening.refusal(
            session, customer=wanted.customer, money=wanted.money, method=wanted.method
        )
        if refusal is not None:
            happened.append(ChargeDeclined(refusal))
        return await self._books.record(session, charge, *happened, origin=origin)

    async def refund(self, order: str, reason: str, origin: Origin) -> Charge:
        """Give the money back; where none was taken, see to it that none ever is."""
        charge = await decide(self._database, lambda session: self.intend_refund(session, order, reason, origin))
        return await self._pursue(charge) if charge.status is Status.REFUNDING else charge

    async def intend_refund(self, session: Session, order: str, reason: str, origin: Origin) -> Charge:
        """Write down that an order's money shall go back, as far as there is any to go back."""
        charge = await accounts.charge(session, order)
        for event in (RefundIntended(reason), ChargeCancelled(reason)):
            if charge.status is not Status.REFUNDING and charge.allows(event):
                return await self._books.record(session, charge, event, origin=origin)
        return charge

    async def cancel(self, session: Session, order: str, reason: str, origin: Origin) -> Charge:
        """The same for an order that nobody leads; where its money is back already, that is told again.

        Who cancels once more has missed it, or heard it before the charge that it belongs to.
        """
        charge = await self.intend_refund(session, order, reason, origin)
        if charge.status is Status.REFUNDED and charge.asked.saga == "choreographed":
            await self._books.repeat_refund(session, charge, origin)
        return charge

    async def pursue(self, order: str) -> Charge:
        """Ask the bank about a charge that is open, and write down what it says."""
        return await self._pursue(await self.find(order))

    async def settle(self) -> None:
        """Go on with charges that were left open by a bank that was late, or by a process that has died."""
        async with self._database.transaction() as session:
            due = await work.claim(session, now=self._books.now(), limit=_SETTLED_AT_ONCE)
        outcomes = await asyncio.gather(*map(self._go_on, due), return_exceptions=True)
        for order, outcome in zip(due, outcomes, strict=True):
            if isinstance(outcome, BaseException):  # it must not hold up the others
                _log.error("a charge can't be settled", extra={"order": order}, exc_info=outcome)

    async def _go_on(self, order: str) -> Charge:
        return await self._pursue(await self.find(order), patience=3 * self._patience, enquire=True)

    async def _pursue(
        self, charge: Charge, *, origin: Origin | None = None, patience: float | None = None, enquire: bool = False
    ) -> Charge:
        """Ask the bank and write down what it says; without an answer in time it is charged later.

        ``origin`` is known to whoever has just intended it. ``enquire`` asks what the bank knows before anything new is
        asked of it.
        """
        if not charge.open:
            return charge
        wish = Wish.REFUND if charge.status is Status.REFUNDING else Wish.CHARGE
        ask = Ask(wish, charge.asked.payment, charge.asked.customer, charge.money)
        try:
            async with asyncio.timeout(patience or self._patience):
                answer = await self._answer(ask, enquire=enquire)
        except (NoAnswerError, TimeoutError) as error:
            _log.warning("no answer from the bank", extra={"order": charge.order, "wish": wish, "cause": str(error)})
            return await self._conclude(charge, origin, lambda _: (ChargeDeferred("the bank is late"),))
        return await self._conclude(charge, origin, lambda now: _meaning(now, wish, answer))

    async def _answer(self, ask: Ask, *, enquire: bool) -> Answer:
        if enquire and ask.wish is Wish.CHARGE:
            known = Ask(Wish.ENQUIRY, ask.reference, ask.customer, ask.money)
            answer = await self._bank.ask(known)
            if answer.verdict is not Verdict.NOTHING_BOOKED:
                return answer
        return await self._bank.ask(ask)

    async def _conclude(self, charge: Charge, origin: Origin | None, meaning: Meaning) -> Charge:
        """Let happen what is meant for a charge: as we have left it, and where somebody else was faster, as it is."""
        if origin is not None:
            with suppress(ConflictError):
                async with self._database.transaction() as session:
                    return await self._write(session, charge, origin, meaning)
        return await decide(self._database, lambda session: self._write_anew(session, charge.order, meaning))

    async def _write_anew(self, session: Session, order: str, meaning: Meaning) -> Charge:
        charge = await accounts.charge(session, order)
        origin = await work.origin_of(session, order)
        return charge if origin is None else await self._write(session, charge, origin, meaning)

    async def _write(self, session: Session, charge: Charge, origin: Origin, meaning: Meaning) -> Charge:
        happened = meaning(charge)
        if not happened or not charge.allows(happened[0]):
            return charge
        return await self._books.record(session, charge, *happened, origin=origin)


def _meaning(charge: Charge, wish: Wish, answer: Answer) -> tuple[Event, ...]:
    """What an answer to a wish says about a charge as it is now; nothing when it says nothing new."""
    match wish, answer.verdict:
        case Wish.CHARGE, Verdict.APPROVED:
            return (ChargeSettled(answer.authorisation),)
        case Wish.CHARGE, Verdict.DECLINED:
            return (ChargeDeclined(answer.reason),)
        case Wish.REFUND, Verdict.APPROVED if charge.collected:
            return (Refunded(answer.authorisation),)
        case Wish.REFUND, Verdict.APPROVED:
            return (ChargeSettled(answer.authorisation), Refunded(answer.authorisation))
        case Wish.REFUND, Verdict.NOTHING_BOOKED if not charge.collected:
            return (ChargeCancelled(charge.reason or "refunded before it was charged"),)
        case _:
            if charge.open:
                _log.error("the bank's answer doesn't fit", extra={"order": charge.order, "verdict": answer.verdict})
            return ()
