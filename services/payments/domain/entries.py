"""Double entry: money is never made or lost, it goes from one account to another.

A debit is positive and a credit is negative, so an entry balances when its postings add up to zero, and so does every
sum of entries: the whole ledger, at any time. What we have and who owes us is above zero, what we have earned below.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from payments.domain.errors import PaymentError, UnbalancedEntryError
from payments.domain.money import Money

BANK: Final = "bank"
SALES: Final = "sales"
_CUSTOMER: Final = "customer:"


def customer_account(customer: str) -> str:
    """The account of what a customer owes."""
    return _CUSTOMER + customer


def is_customer(account: str) -> bool:
    """Whether an account is a customer's."""
    return account.startswith(_CUSTOMER)


@dataclass(frozen=True, slots=True)
class Entry:
    """Postings, by account in minor units of one currency, that balance. ``order`` says what it is about."""

    id: str
    kind: str
    order: str
    currency: str
    postings: Mapping[str, int]

    def __post_init__(self) -> None:
        if len(self.postings) < 2 or not all(self.postings.values()):
            raise PaymentError("an entry has two postings at least, none of them zero")
        if total := sum(self.postings.values()):
            raise UnbalancedEntryError(f"entry {self.id} is out of balance by {total} {self.currency}")


def sale(entry_id: str, *, order: str, customer: str, amount: Money) -> Entry:
    """The customer owes us for what we have sold."""
    return _entry(entry_id, "sale", order, amount, (customer_account(customer), SALES))


def payment(entry_id: str, *, order: str, customer: str, amount: Money) -> Entry:
    """The customer has paid through the bank."""
    return _entry(entry_id, "payment", order, amount, (BANK, customer_account(customer)))


def sale_undone(entry_id: str, *, order: str, customer: str, amount: Money) -> Entry:
    """The customer owes nothing for it any more."""
    return _entry(entry_id, "sale undone", order, amount, (SALES, customer_account(customer)))


def payment_undone(entry_id: str, *, order: str, customer: str, amount: Money) -> Entry:
    """The bank has given the money back."""
    return _entry(entry_id, "payment undone", order, amount, (customer_account(customer), BANK))


def _entry(entry_id: str, kind: str, order: str, amount: Money, sides: tuple[str, str]) -> Entry:
    """``sides`` are the accounts to debit and to credit."""
    debit, credit = sides
    return Entry(entry_id, kind, order, amount.currency, {debit: amount.amount, credit: -amount.amount})
