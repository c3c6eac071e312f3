"""Words for customers: right, and safe whatever a customer or a partner has typed."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.occasions import STAGES, money, occasion
from notifications.wording import WordingError, Words

WORDS = Words()
PAYLOAD: dict[str, Any] = {
    "orderId": "0199c3c7-0000-7000-8000-0000deadbeef",
    "customer": "ada",
    "saga": "orchestrated",
    "items": [{"sku": "rope-01", "quantity": 2, "price": {"amount": 999, "currency": "EUR"}}],
    "total": {"amount": 1998, "currency": "EUR"},
    "address": {"name": "Ada", "street": "Kai 1", "postcode": "24103", "city": "Kiel", "country": "DE"},
    "reason": "Out of stock.",
    "cancelledBy": "shop",
}


def fields(event_type: str, **changes: Any) -> dict[str, Any]:
    happened = occasion(event_type, {**PAYLOAD, **changes})
    return {
        **happened.fields,
        "order": happened.order,
        "customer": happened.customer,
        "carrier": None,
        "tracking": None,
    }


@pytest.mark.parametrize("event_type", STAGES)
def test_every_event_that_is_told_has_words_in_all_lengths(event_type: str) -> None:
    wording = WORDS.of(STAGES[event_type][0], fields(event_type))
    assert "\n" not in wording.subject + wording.short
    assert len(wording.subject) < 80
    assert "deadbeef" in wording.short
    assert PAYLOAD["orderId"] in wording.long
    assert PAYLOAD["orderId"] in wording.html


def test_a_receipt_names_things_and_total() -> None:
    long = WORDS.of("placed", fields("OrderPlaced")).long
    assert "2 x rope-01\n" in long
    assert "Total 19.98 EUR, going to Kiel." in long


def test_a_parcel_is_followed_by_its_code_where_that_is_known() -> None:
    assert "Follow it by" not in WORDS.of("shipped", fields("OrderShipped")).long
    known = {**fields("OrderShipped"), "carrier": "Gull", "tracking": "GU-7"}
    assert "with Gull. Follow it by GU-7." in WORDS.of("shipped", known).long


@pytest.mark.parametrize(
    ("cancelled_by", "said"),
    [("customer", "as you asked"), ("shop", "we are sorry"), ("unrecorded", "we are sorry")],
)
def test_a_cancellation_says_whose_wish_it_was(cancelled_by: str, said: str) -> None:
    assert said in WORDS.of("cancelled", fields("OrderCancelled", cancelledBy=cancelled_by)).long


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    tags.close()
    return tags


@given(reason=st.text(alphabet="<>&\"'{}%#ab ", min_size=1, max_size=40))
def test_nothing_that_was_typed_becomes_markup_or_a_template(reason: str) -> None:
    wording = WORDS.of("cancelled", fields("OrderCancelled", reason=reason))
    assert reason.strip() in wording.long
    assert set(parsed(wording.html).tags) == {"html", "head", "meta", "title", "body", "p"}
    assert reason.strip() in parsed(wording.html).text


def test_a_line_break_that_was_typed_stays_out_of_subject_and_short_text() -> None:
    assert "\n" not in WORDS.of("cancelled", fields("OrderCancelled", reason="No.\r\nBcc: everybody")).short


def test_a_field_that_is_missing_is_an_error_and_not_a_gap_in_a_sentence() -> None:
    incomplete = fields("OrderConfirmed")
    del incomplete["total"]
    with pytest.raises(WordingError, match="template confirmed: UndefinedError: 'total' is undefined"):
        WORDS.of("confirmed", incomplete)


@pytest.mark.parametrize(
    "template",
    [
        "{{ items.append(1) }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ customer.__init__.__globals__ }}",
        "{% for n in range(10000000) %}{% endfor %}",
    ],
)
def test_a_template_can_neither_change_what_it_is_given_nor_reach_beyond_it(tmp_path: Path, template: str) -> None:
    (tmp_path / "evil.txt").write_text(f"{{% block subject %}}{template}{{% endblock %}}")
    with pytest.raises(WordingError):
        Words(tmp_path).of("evil", fields("OrderPlaced"))


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [(5, "EUR", "0.05 EUR"), (123456, "USD", "1,234.56 USD"), (1500, "JPY", "1,500 JPY"), (1, "KWD", "0.001 KWD")],
)
def test_money_is_written_with_as_many_digits_as_its_currency_has(amount: int, currency: str, written: str) -> None:
    assert money(amount, currency) == written
