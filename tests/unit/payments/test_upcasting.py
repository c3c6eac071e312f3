"""Events of old are read in today's words, and those of tomorrow are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.account import Account
from payments.domain.errors import UnknownEventError
from payments.domain.events import ChargeIntended, Posted, read

old_postings = st.fixed_dictionaries(
    {
        "entry": st.text(min_size=1),
        "kind": st.sampled_from(["sale", "payment"]),
        "order": st.text(min_size=1),
        "side": st.sampled_from(["debit", "credit"]),
        "amount": st.integers(1, 10**12),
    }
)
new_postings = st.builds(
    Posted, st.text(), st.sampled_from(["sale", "payment"]), st.text(), st.integers(-(10**12), 10**12), st.just("EUR")
)


@given(st.lists(st.one_of(old_postings, new_postings)))
def test_a_stream_written_by_both_versions_adds_up_as_one(stream: list[dict[str, object] | Posted]) -> None:
    told = [one if isinstance(one, Posted) else read("Posted", 1, one) for one in stream]
    signed = sum(
        one.amount if isinstance(one, Posted) else int(str(one["amount"])) * (1 if one["side"] == "debit" else -1)
        for one in stream
    )
    assert Account("bank").after(told).balances == ({"EUR": signed} if stream else {})


@given(new_postings)
def test_what_is_written_today_is_read_as_it_is(event: Posted) -> None:
    assert read(event.TYPE, event.SCHEMA, event.data()) == event


def test_an_intent_of_old_was_by_card_and_its_order_was_its_key() -> None:
    old = {"payment": "p", "order": "o-1", "customer": "ada", "amount": 5, "currency": "EUR"}
    assert read("ChargeIntended", 1, old) == ChargeIntended(
        "p", "o-1", "ada", 5, "EUR", method="card", saga="orchestrated", key="o-1"
    )


@pytest.mark.parametrize(("kind", "schema"), [("Posted", 3), ("ChargeIntended", 3), ("CardTokenised", 1)])
def test_what_a_newer_revision_wrote_is_refused_and_not_guessed(kind: str, schema: int) -> None:
    with pytest.raises(UnknownEventError, match=f"{kind} version {schema}"):
        read(kind, schema, {})
