"""What there is to say between us and a bank, in our words."""

from dataclasses import dataclass
from enum import StrEnum

from payments.domain.money import Money


class Wish(StrEnum):
    """What the bank is asked to do. All may be repeated: the reference says that it is the same wish again."""

    CHARGE = "charge"
    REFUND = "refund"
    """Give back what was charged under a reference. Where nothing was, nothing can be any more."""
    ENQUIRY = "enquiry"
    """Tell what was charged under a reference."""


class Verdict(StrEnum):
    """What the bank says to it."""

    APPROVED = "approved"
    DECLINED = "declined"
    NOTHING_BOOKED = "nothing-booked"


@dataclass(frozen=True, slots=True)
class Ask:
    """A wish about a customer's money. The reference is ours, and one for a charge with all that belongs to it."""

    wish: Wish
    reference: str
    customer: str
    money: Money


@dataclass(frozen=True, slots=True)
class Answer:
    """What the bank has decided, once and for all; the authorisation is its own name for it."""

    verdict: Verdict
    reason: str = ""
    authorisation: str = ""


class NoAnswerError(Exception):
    """Nothing is known: the bank may have done what it was asked to, or not."""
