"""The one transaction in which a charge takes a step: its events, the ledger, the invoice, the work left, the news.

All of it is written or none of it. That is what makes "charged" mean the same in every place.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from chassis.database import Session
from chassis.events import Envelope
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

    async def record(self, session: Session, charge: Charge, *happened: Event, origin: Origin) -> Charge:
        """Let events happen to a charge, and give what it is then.

        Raises ``ConflictError`` when the charge has changed since it was read, ``ImpossibleTransitionError`` and
        ``OverpaidError`` for what must not be.
        """
        now, own = self._clock(), charges.stream_of(charge.order)
        if charge.version:
            await event_store.append(session, Append(own, happened, charge.version), at=now)
        else:
            await event_store.begin(session, own, happened, at=now)
        after, entries, news = charge, list[Entry](), list[Envelope]()
        for event in happened:
            entries += entries_for(after, event)
            before, after = after, after.take(event)
            news += await self._follow(session, before, after, event, origin)
        if news:
            await self._outbox.add(session, *news, aggregate_id=charge.order)
        if after.open:
            pause = _SOON if after.status is Status.DEFERRED else self._grace
            await work.schedule(session, charge.order, now=now, pause=pause, origin=origin)
        else:
            await work.done(session, charge.order)
        if entries:
            await _post(session, entries, now)
        return after

    async def _follow(
        self, session: Session, before: Charge, after: Charge, event: Event, origin: Origin
    ) -> list[Envelope]:
        """See to the invoice that belongs to one event, and give the news."""
        match event:
            case ChargeDeferred():
                issued = await self._invoice(session, after, invoices.OPEN, origin)
                return [issued, _news("PaymentDeferred", after, origin)]
            case ChargeSettled():
                paid = [_news("PaymentCharged", after, origin)] if after.status is Status.CHARGED else []
                if before.owed:
                    await invoices.change_status(session, after.order, invoices.PAID)
                    return paid
                return [await self._invoice(session, after, invoices.PAID, origin), *paid]
            case ChargeDeclined(reason):
                await invoices.change_status(session, after.order, invoices.CANCELLED)
                return [_news("PaymentFailed", after, origin, reason=reason)]
            case ChargeCancelled():
                await invoices.change_status(session, after.order, invoices.CANCELLED)
            case Refunded():
                await invoices.change_status(session, after.order, invoices.CREDITED)
                return [_news("PaymentRefunded", after, origin)]
        return []

    async def _invoice(self, session: Session, charge: Charge, status: str, origin: Origin) -> Envelope:
        now = self._clock()
        issued = Invoice(new_id(), charge.order, charge.asked.customer, charge.money, status, now, now + self._terms)
        await invoices.issue(session, issued, origin)
        return origin.event("InvoiceIssued", invoice_payload(issued))

    async def repeat_refund(self, session: Session, charge: Charge, origin: Origin) -> None:
        """Say once more that an order's money is back."""
        await self._outbox.add(session, _news("PaymentRefunded", charge, origin), aggregate_id=charge.order)

    async def remind(self, session: Session) -> int:
        """Tell of invoices that are overdue since the last look; how many."""
        late = await invoices.become_overdue(session, now=self._clock())
        for invoice, origin in late:
            envelope = origin.event("InvoiceOverdue", invoice_payload(invoice))
            await self._outbox.add(session, envelope, aggregate_id=invoice.order)
        return len(late)


def _news(event_type: str, charge: Charge, origin: Origin, **more: str) -> Envelope:
    asked = charge.asked
    payload = {
        "orderId": charge.order,
        "paymentId": asked.payment,
        "amount": charge.money.as_dict(),
        "customer": asked.customer,
        "saga": asked.saga,
        **more,
    }
    return origin.event(event_type, payload)


async def _post(session: Session, entries: Sequence[Entry], now: datetime) -> None:
    """Post entries to their accounts, all at one time.

    On a customer's account the balance decides, so it is read behind its lock. The others everybody shares: they grow
    last, and nothing but the events and the commit comes after.
    """
    touched = {account for entry in entries for account in entry.postings}
    customers = sorted(filter(is_customer, touched))
    heads = await event_store.lock(session, map(accounts.stream_of, customers), at=now)
    appends = []
    for name in customers:
        stream = accounts.stream_of(name)
        account = await kept.account(session, name) if heads[stream] else Account(name)
        appends.append(Append(stream, account.post(*entries), account.version))
    shared = sorted(touched.difference(customers))
    appends += [Append(accounts.stream_of(name), Account(name).post(*entries)) for name in shared]
    await event_store.append(session, *appends, at=now)


def invoice_payload(invoice: Invoice) -> dict[str, object]:
    """An invoice as its events tell it."""
    return {
        "invoiceId": invoice.id,
        "orderId": invoice.order,
        "amount": invoice.money.as_dict(),
        "dueAt": invoice.due_at.isoformat(),
        "customer": invoice.customer,
    }
