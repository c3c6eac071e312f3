"""What each step of a charge means for the ledger.

A debt enters the ledger when an order is accepted: at once with its payment, or before it when the bank is late.
"""

from payments.domain import entries
from payments.domain.charge import Charge
from payments.domain.entries import Entry
from payments.domain.events import (
    ChargeCancelled,
    ChargeDeclined,
    ChargeDeferred,
    ChargeSettled,
    Event,
    Refunded,
)


def entries_for(charge: Charge, event: Event) -> list[Entry]:
    """The entries that belong to an event; ``charge`` is as it was before it.

    Their ids follow from the charge alone, so the same step can't be booked under two names.
    """
    if charge.intent is None:
        return []
    payment, order, customer, amount = charge.intent.payment, charge.order, charge.intent.customer, charge.money
    sale = entries.sale(f"{payment}:sale", order=order, customer=customer, amount=amount)
    paid = entries.payment(f"{payment}:payment", order=order, customer=customer, amount=amount)
    unsold = entries.sale_undone(f"{payment}:unsold", order=order, customer=customer, amount=amount)
    unpaid = entries.payment_undone(f"{payment}:unpaid", order=order, customer=customer, amount=amount)
    match event:
        case ChargeDeferred():
            return [sale]
        case ChargeSettled():
            return [paid] if charge.owed else [sale, paid]
        case ChargeDeclined() | ChargeCancelled():
            return [unsold] if charge.owed else []
        case Refunded():
            return [unpaid, unsold]
        case _:
            return []
