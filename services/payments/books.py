"""The one transaction in which a charge takes a step: its events, the ledger, the invoice, the work left, the news.

All of it is written or none of it. That is what makes "charged" mean the same in every place.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.ids import new_id
from chassis.outbox import Outbox
from payments.domain import account as accounts
from payments.domain import charge as charges
from payments.domain.account import Account
from payments.domain.bookkeeping import entries_for
from payments.domain.charge import Charge, Status
from payments.domain.entries import Entry, is_customer
from payments.domain.events import (
    ChargeCancelled,
    ChargeDeclined,
    ChargeDeferred,
    ChargeSettled,
    Event,
    Refunded,
)
from payments.origin import Origin
from payments.store import accounts as kept
from payments.store import event_store, invoices, work
from payments.store.event_store import Append
from payments.store.invoices import Invoice

_SOON: Final = timedelta(seconds=1)


class Books:
    """Writes down what happens to charges.

    ``terms`` is the time customers have to pay an invoice, ``grace`` the time after which an intent without an outcome
    is taken for one whose process has died.
    """

    def __init__(self, outbox: Outbox, *, terms: timedelta, grace: timedelta, clock: Callable[[], datetime]) -> None:
        self._outbox = outbox
        self._terms = terms
        self._grace = grace
        self._clock = clock

    def now(self) -> datetime:
        """The time, by the clock that everything here goes by."""
        return self._clock()

    async def record(self, session: AsyncSession, charge: Charge, *happened: Event, origin: Origin) -> Charge:
        """Let events happen to a charge, and give what it is then.

        Raises ``ConflictError`` when the charge has changed since it was read, ``ImpossibleTransitionError`` and
        ``OverpaidError`` for what must not be.
        """
        now, own = self._clock(), charges.stream_of(charge.order)
        heads = await event_store.lock(session, [own], at=now)
        await event_store.append(session, heads, Append(own, happened, charge.version), at=now)
        after, entries = charge, list[Entry]()
        for event in happened:
            entries += entries_for(after, event)
            before, after = after, after.take(event)
            await self._follow(session, before, after, event, origin)
        if after.open:
            pause = _SOON if after.status is Status.DEFERRED else self._grace
            await work.schedule(session, charge.order, now=now, pause=pause, origin=origin)
        else:
            await work.done(session, charge.order)
        if entries:
            await _post(session, entries, now)
        return after

    async def _follow(self, session: AsyncSession, before: Charge, after: Charge, event: Event, origin: Origin) -> None:
        """The invoice and the news that belong to one event."""
        match event:
            case ChargeDeferred():
                await self._invoice(session, after, invoices.OPEN, origin)
                await self._tell(session, "PaymentDeferred", after, origin)
            case ChargeSettled():
                if before.owed:
                    await invoices.change_status(session, after.order, invoices.PAID)
                else:
                    await self._invoice(session, after, invoices.PAID, origin)
                if after.status is Status.CHARGED:
                    await self._tell(session, "PaymentCharged", after, origin)
            case ChargeDeclined(reason):
                await invoices.change_status(session, after.order, invoices.CANCELLED)
                await self._tell(session, "PaymentFailed", after, origin, reason=reason)
            case ChargeCancelled():
                await invoices.change_status(session, after.order, invoices.CANCELLED)
            case Refunded():
                await invoices.change_status(session, after.order, invoices.CREDITED)
                await self._tell(session, "PaymentRefunded", after, origin)

    async def _invoice(self, session: AsyncSession, charge: Charge, status: str, origin: Origin) -> None:
        now = self._clock()
        issued = Invoice(new_id(), charge.order, charge.asked.customer, charge.money, status, now, now + self._terms)
        await invoices.issue(session, issued, origin)
        envelope = origin.event("InvoiceIssued", invoice_payload(issued))
        await self._outbox.add(session, envelope, aggregate_id=charge.order)

    async def _tell(self, session: AsyncSession, event_type: str, charge: Charge, origin: Origin, **more: str) -> None:
        asked = charge.asked
        payload = {
            "orderId": charge.order,
            "paymentId": asked.payment,
            "amount": charge.money.as_dict(),
            "customer": asked.customer,
            "saga": asked.saga,
            **more,
        }
        await self._outbox.add(session, origin.event(event_type, payload), aggregate_id=charge.order)

    async def remind(self, session: AsyncSession) -> int:
        """Tell of invoices that are overdue since the last look; how many."""
        late = await invoices.become_overdue(session, now=self._clock())
        for invoice, origin in late:
            envelope = origin.event("InvoiceOverdue", invoice_payload(invoice))
            await self._outbox.add(session, envelope, aggregate_id=invoice.order)
        return len(late)


async def _post(session: AsyncSession, entries: Sequence[Entry], now: datetime) -> None:
    """Post entries to their accounts, all at one time.

    On a customer's account the balance decides, so it is read behind its lock. The others everybody shares: they are
    locked last, and nothing but the commit comes after.
    """
    touched = {account for entry in entries for account in entry.postings}
    customers = sorted(filter(is_customer, touched))
    shared = sorted(touched.difference(customers))
    heads = await event_store.lock(session, map(accounts.stream_of, customers), at=now)
    appends = []
    for name in customers:
        account = await kept.account(session, name)
        appends.append(Append(accounts.stream_of(name), account.post(*entries), account.version))
    appends += [Append(accounts.stream_of(name), Account(name).post(*entries)) for name in shared]
    heads |= await event_store.lock(session, map(accounts.stream_of, shared), at=now)
    await event_store.append(session, heads, *appends, at=now)


def invoice_payload(invoice: Invoice) -> dict[str, object]:
    """An invoice as its events tell it."""
    return {
        "invoiceId": invoice.id,
        "orderId": invoice.order,
        "amount": invoice.money.as_dict(),
        "dueAt": invoice.due_at.isoformat(),
        "customer": invoice.customer,
    }
