"""The anti-corruption layer: the bank's format of old, and nothing of it anywhere else.

The bank reads and writes records of fields, one record a line::

    TYP=CHG;REF=0197…;ACC=ada;AMT=1.234,56;CUR=EUR                          what we ask
    TYP=CHG;REF=0197…;ACC=ada;AMT=1.234,56;CUR=EUR;STS=00;AUT=A17           what it answers

Money is text with dots for thousands and a comma for decimals. ``STS`` is a two-digit code; 94 means that it was asked
before, and ``ORG`` has the code it gave then. An answer holds more than one record when the bank answers twice.
What can't be translated for sure is no answer: a guess would be about money.
"""

import re
from collections.abc import Mapping
from typing import Final

from payments.bank.messages import Answer, Ask, NoAnswerError, Verdict, Wish
from payments.domain import decimals
from payments.domain.errors import PaymentError
from payments.domain.money import Money

ENCODING: Final = "iso-8859-1"

_TYPES: Final[Mapping[Wish, str]] = {Wish.CHARGE: "CHG", Wish.REFUND: "RFD", Wish.ENQUIRY: "ENQ"}
_WISHES: Final = {code: wish for wish, code in _TYPES.items()}
_APPROVED: Final = "00"
_NOTHING_BOOKED: Final = "25"
_ASKED_BEFORE: Final = "94"
_REASONS: Final[Mapping[str, str]] = {
    "05": "the bank declined",
    "51": "not enough money in the account",
    "54": "the card has expired",
    "62": "the card is blocked",
}
_CARRIED: Final = re.compile(r"[A-Za-z0-9._@+:-]{1,64}")
_AMOUNT: Final = re.compile(r"(0|[1-9][0-9]{0,2}(\.[0-9]{3})*)(,[0-9]+)?")


def write(ask: Ask) -> str:
    """A record that asks. Raises ``PaymentError`` for what the format can't carry."""
    for value in (ask.reference, ask.customer):
        if not _CARRIED.fullmatch(value):
            raise PaymentError(f"{value!r} can't be told to the bank: it takes 1 to 64 letters, digits and . _ @ + : -")
    amount = _write_amount(ask.money)
    return f"TYP={_TYPES[ask.wish]};REF={ask.reference};ACC={ask.customer};AMT={amount};CUR={ask.money.currency}"


def read(text: str) -> list[tuple[Ask, Answer]]:
    """Records that answer, each with what it says was asked. Raises ``NoAnswerError`` for anything else."""
    return [_record(line) for line in text.splitlines() if line]


def answer_to(ask: Ask, text: str) -> Answer:
    """The one answer to what was asked, however often it is given.

    Raises ``NoAnswerError`` when there is none, when it is about something else, and when the bank contradicts itself.
    """
    records = read(text)
    strange = next((about for about, _ in records if about != ask), None)
    if strange is not None:
        raise NoAnswerError(f"the bank answers about {strange}, and was asked about {ask}")
    answers = {answer for _, answer in records}
    if len(answers) != 1:
        raise NoAnswerError(f"the bank gives {len(answers)} different answers at once")
    return answers.pop()


def _record(line: str) -> tuple[Ask, Answer]:
    fields = dict(part.partition("=")[::2] for part in line.split(";"))
    try:
        money = _read_amount(fields["AMT"], fields["CUR"])
        ask = Ask(_WISHES[fields["TYP"]], fields["REF"], fields["ACC"], money)
        status = fields["ORG"] if fields["STS"] == _ASKED_BEFORE else fields["STS"]
        return ask, _answer(status, fields.get("AUT", ""))
    except (KeyError, ValueError, PaymentError) as error:
        raise NoAnswerError(f"the bank's record isn't understood ({error!r}): {line[:200]}") from error


def _answer(status: str, authorisation: str) -> Answer:
    if status == _APPROVED:
        return Answer(Verdict.APPROVED, authorisation=authorisation)
    if status == _NOTHING_BOOKED:
        return Answer(Verdict.NOTHING_BOOKED)
    return Answer(Verdict.DECLINED, reason=_REASONS[status])


def _write_amount(money: Money) -> str:
    whole, comma, rest = decimals.write(money.amount, money.currency, point=",").partition(",")
    return f"{int(whole):,}".replace(",", ".") + comma + rest


def _read_amount(text: str, currency: str) -> Money:
    if not _AMOUNT.fullmatch(text):
        raise ValueError(f"{text!r} is not an amount as the bank writes it")
    return Money(decimals.read(text.replace(".", ""), currency, point=","), currency)
