"""Double entry and the charge: what holds for every history that there can be."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.account import Account
from payments.domain.bookkeeping import entries_for
from payments.domain.charge import Charge, Status
from payments.domain.entries import Entry, payment, sale
from payments.domain.errors import ImpossibleTransitionError, OverpaidError, PaymentError, UnbalancedEntryError
from payments.domain.events import (
    ChargeCancelled,
    ChargeDeclined,
    ChargeDeferred,
    ChargeIntended,
    ChargeSettled,
    Event,
    Posted,
    Refunded,
    RefundIntended,
)
from payments.domain.money import LARGEST, Money

amounts = st.integers(1, LARGEST)
currencies = st.sampled_from(["EUR", "USD", "JPY"])
postings = st.builds(Posted, st.just("e"), st.just("sale"), st.just("o"), st.integers(-LARGEST, LARGEST), currencies)
moneys = st.builds(Money, amounts, currencies)


def intent(money: Money, order: str = "o-1") -> ChargeIntended:
    return ChargeIntended(f"p-{order}", order, "ada", money.amount, money.currency, "card", "orchestrated", "key")


steps = st.sampled_from(
    [
        ChargeDeferred("late"),
        ChargeSettled("A1"),
        ChargeDeclined("no"),
        RefundIntended("back"),
        Refunded("A2"),
        ChargeCancelled("over"),
    ]
)


@st.composite
def histories(draw: st.DrawFn, order: str = "o-1") -> list[Event]:
    """A charge's events, as the state machine lets them happen."""
    charge, told = Charge(order), list[Event]()
    for event in [intent(draw(moneys), order), *draw(st.lists(steps, max_size=12))]:
        if charge.allows(event):
            charge = charge.take(event)
            told.append(event)
    return told


def booked(order: str, told: Sequence[Event]) -> list[Entry]:
    charge, entries = Charge(order), list[Entry]()
    for event in told:
        entries += entries_for(charge, event)
        charge = charge.take(event)
    return entries


def total(entries: Sequence[Entry]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for entry in entries:
        for amount in entry.postings.values():
            totals[entry.currency] = totals.get(entry.currency, 0) + amount
    return totals


def on(account: str, entries: Sequence[Entry]) -> Account:
    return Account(account).after(Account(account).post(*entries))


class TestDoubleEntry:
    @given(st.lists(histories()))
    def test_the_ledger_balances_to_the_cent_after_any_history_at_any_moment(self, told: list[list[Event]]) -> None:
        entries = [entry for count, events in enumerate(told) for entry in booked("o-1", events)]
        for moment in range(len(entries) + 1):
            assert not any(total(entries[:moment]).values())

    @given(histories())
    def test_what_the_bank_has_is_what_it_took_and_did_not_give_back(self, told: list[Event]) -> None:
        charge = Charge("o-1").after(told)
        has = sum(on("bank", booked("o-1", told)).balances.values())
        assert has == (charge.money.amount if charge.collected else 0)

    @given(histories())
    def test_a_customer_owes_what_was_accepted_and_is_not_paid(self, told: list[Event]) -> None:
        charge = Charge("o-1").after(told)
        owes = sum(on("customer:ada", booked("o-1", told)).balances.values())
        assert owes == (charge.money.amount if charge.owed and not charge.collected else 0)

    @given(histories())
    def test_no_entry_stands_twice_in_the_ledger(self, told: list[Event]) -> None:
        ids = [entry.id for entry in booked("o-1", told)]
        assert len(set(ids)) == len(ids)

    def test_an_entry_out_of_balance_cannot_be(self) -> None:
        with pytest.raises(UnbalancedEntryError, match="by 1 EUR"):
            Entry("e", "sale", "o-1", "EUR", {"bank": 100, "sales": -99})

    @pytest.mark.parametrize("postings", [{}, {"bank": 0}, {"bank": 0, "sales": 0}])
    def test_an_entry_moves_something(self, postings: dict[str, int]) -> None:
        with pytest.raises(PaymentError, match="two postings"):
            Entry("e", "sale", "o-1", "EUR", postings)

    @pytest.mark.parametrize(
        ("amount", "currency"), [(0, "EUR"), (-1, "EUR"), (True, "EUR"), (1, "eur"), (LARGEST + 1, "EUR")]
    )
    def test_only_whole_minor_units_of_a_currency_are_money(self, amount: int, currency: str) -> None:
        with pytest.raises(PaymentError):
            Money(amount, currency)


class TestAccounts:
    def test_nobody_pays_more_than_is_owed(self) -> None:
        owed = on("customer:ada", [sale("e-1", order="o-1", customer="ada", amount=Money(100, "EUR"))])
        twice = [payment(f"e-{n}", order="o-1", customer="ada", amount=Money(100, "EUR")) for n in (2, 3)]
        with pytest.raises(OverpaidError, match="100 more than is owed"):
            owed.post(*twice)

    def test_a_debt_in_one_currency_is_not_paid_in_another(self) -> None:
        owed = on("customer:ada", [sale("e-1", order="o-1", customer="ada", amount=Money(100, "EUR"))])
        with pytest.raises(OverpaidError):
            owed.post(payment("e-2", order="o-1", customer="ada", amount=Money(100, "USD")))

    @given(st.lists(postings), st.data())
    def test_replay_is_a_snapshot_and_the_tail_wherever_it_was_taken(
        self, told: list[Posted], data: st.DataObject
    ) -> None:
        cut = data.draw(st.integers(0, len(told)))
        before = Account("bank").after(told[:cut])
        kept = json.loads(json.dumps(before.state()))
        assert Account.restored("bank", before.version, kept).after(told[cut:]) == Account("bank").after(told)


class TestCharge:
    @given(moneys, st.lists(steps, max_size=30))
    def test_it_is_settled_once_and_refunded_once_at_most(self, money: Money, wanted: list[Event]) -> None:
        charge, told = Charge("o-1").take(intent(money)), list[Event]()
        for event in wanted:
            if charge.allows(event):
                charge = charge.take(event)
                told.append(event)
            else:
                with pytest.raises(ImpossibleTransitionError):
                    charge.take(event)
        for once in (ChargeSettled, Refunded, ChargeDeclined, ChargeCancelled):
            assert sum(isinstance(event, once) for event in told) <= 1
        assert sum(isinstance(event, ChargeSettled | ChargeDeclined | ChargeCancelled) for event in told) <= 1

    def test_a_refund_that_comes_before_the_charge_bars_it(self) -> None:
        barred = Charge("o-1").take(ChargeCancelled("order cancelled"))
        assert not barred.allows(intent(Money(1, "EUR")))

    def test_an_answer_that_arrives_during_a_refund_is_taken_in_and_still_refunded(self) -> None:
        charge = Charge("o-1").after([intent(Money(5, "EUR")), RefundIntended("cancelled"), ChargeSettled("A1")])
        assert (charge.status, charge.collected) == (Status.REFUNDING, True)
        assert not charge.allows(ChargeCancelled("x"))
        assert charge.take(Refunded("A2")).status is Status.REFUNDED

    @given(histories())
    def test_its_state_follows_from_its_events_alone(self, told: list[Event]) -> None:
        step_by_step = Charge("o-1")
        for event in told:
            step_by_step = step_by_step.take(event)
        assert Charge("o-1").after(told) == step_by_step
        assert replace(step_by_step, version=0) != Charge("o-1")
