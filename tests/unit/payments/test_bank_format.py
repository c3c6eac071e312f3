"""The anti-corruption layer: nothing is lost or made up on the way to the bank and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.bank.legacy import answer_to, read, write
from payments.bank.messages import Answer, Ask, NoAnswerError, Verdict, Wish
from payments.domain.errors import PaymentError
from payments.domain.money import LARGEST, Money

names = st.from_regex(r"[A-Za-z0-9._@+:-]{1,64}", fullmatch=True)
moneys = st.builds(Money, st.integers(1, LARGEST), st.sampled_from(["EUR", "USD", "JPY", "KWD", "ISK"]))
asks = st.builds(Ask, st.sampled_from(Wish), names, names, moneys)
STATUSES = {
    "STS=00;AUT=A17": Answer(Verdict.APPROVED, authorisation="A17"),
    "STS=94;ORG=00;AUT=A17": Answer(Verdict.APPROVED, authorisation="A17"),
    "STS=05": Answer(Verdict.DECLINED, reason="the bank declined"),
    "STS=94;ORG=51": Answer(Verdict.DECLINED, reason="not enough money in the account"),
    "STS=25": Answer(Verdict.NOTHING_BOOKED),
}
ASK = Ask(Wish.CHARGE, "r-1", "ada", Money(123456, "EUR"))


@given(asks, st.sampled_from(list(STATUSES)))
def test_what_we_ask_comes_back_as_we_asked_it_with_the_bank_s_answer(ask: Ask, status: str) -> None:
    assert read(f"{write(ask)};{status}\n") == [(ask, STATUSES[status])]


@given(asks)
def test_what_the_bank_writes_is_what_we_would_write(ask: Ask) -> None:
    ((told, _),) = read(f"{write(ask)};STS=25\n")
    assert write(told) == write(ask)


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1, "EUR", "0,01"),
        (100, "EUR", "1,00"),
        (99999, "EUR", "999,99"),
        (100000, "EUR", "1.000,00"),
        (123456789, "EUR", "1.234.567,89"),
        (1500, "JPY", "1.500"),
        (1500, "KWD", "1,500"),
    ],
)
def test_money_is_text_as_the_bank_writes_it(amount: int, currency: str, text: str) -> None:
    assert f"AMT={text};CUR={currency}" in write(Ask(Wish.CHARGE, "r", "ada", Money(amount, currency)))


def test_the_same_answer_twice_is_one_answer() -> None:
    line = write(ASK) + ";STS=00;AUT=A17\n"
    assert answer_to(ASK, line + line) == Answer(Verdict.APPROVED, authorisation="A17")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        write(ASK)[: len(write(ASK)) // 2],
        write(ASK),  # no status
        write(ASK) + ";STS=77",
        write(ASK) + ";STS=94",  # asked before, and not what was said then
        write(ASK).replace("1.234,56", "1.234,65") + ";STS=00;AUT=A1",  # another amount
        write(ASK).replace("1.234,56", "1234,56") + ";STS=00;AUT=A1",
        write(ASK).replace("r-1", "r-2") + ";STS=00;AUT=A1",  # another reference
        write(ASK) + ";STS=00;AUT=A1\n" + write(ASK) + ";STS=05\n",  # contradicts itself
        write(ASK).replace("EUR", "JPY") + ";STS=00;AUT=A1",  # decimals that the currency hasn't
    ],
)
def test_what_cannot_be_told_for_sure_is_no_answer(text: str) -> None:
    with pytest.raises(NoAnswerError):
        answer_to(ASK, text)


@given(st.text(max_size=200))
def test_any_text_is_an_answer_or_none(text: str) -> None:
    with pytest.raises(NoAnswerError):
        answer_to(ASK, text)


@pytest.mark.parametrize("customer", ["", "a;STS=00", "a=b", "a b", "x" * 65, "ä", "a\nb"])
def test_what_the_format_cannot_carry_is_not_sent(customer: str) -> None:
    with pytest.raises(PaymentError, match="can't be told to the bank"):
        write(Ask(Wish.CHARGE, "r-1", customer, Money(1, "EUR")))
