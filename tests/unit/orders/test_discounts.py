"""Discount rules are data, composed of specifications that obey the laws of logic."""

import json
from datetime import UTC, datetime
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.domain.discounts import (
    Candidate,
    Discounts,
    PiecesAtLeast,
    PriceAtLeast,
    Specification,
    Tier,
    specification,
)
from orders.domain.errors import InvalidRuleError
from orders.domain.money import Money
from orders.domain.order import Discount, Flow, Item, Order

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def an_order(pieces: int, each: int, currency: str = "EUR") -> Order:
    return Order.place(
        id="o",
        customer="ada",
        items=[Item("rope-01", pieces)],
        prices={"rope-01": Money(each, currency)},
        address=None,
        flow=Flow.ORCHESTRATED,
        now=NOON,
    )


SHIPPED_RULES = json.loads(resources.files("orders").joinpath("discounts.json").read_text(encoding="utf-8"))
leaves: st.SearchStrategy[Specification] = st.one_of(
    st.sampled_from(["gold", "standard"]).map(Tier),
    st.integers(1, 20).map(PiecesAtLeast),
    st.integers(0, 20000).map(lambda amount: PriceAtLeast(Money(amount, "EUR"))),
)
specifications = st.recursive(
    leaves,
    lambda some: st.one_of(
        st.tuples(some, some).map(lambda pair: pair[0] & pair[1]),
        st.tuples(some, some).map(lambda pair: pair[0] | pair[1]),
        some.map(lambda one: ~one),
    ),
)
candidates = st.builds(
    lambda pieces, each, tier: Candidate(an_order(pieces, each), tier),
    st.integers(1, 20),
    st.integers(0, 2000),
    st.sampled_from(["gold", "standard"]),
)


@given(specifications, specifications, candidates)
def test_they_compose_as_logic_does(one: Specification, other: Specification, candidate: Candidate) -> None:
    left, right = one.holds(candidate), other.holds(candidate)
    assert (one & other).holds(candidate) == (left and right)
    assert (one | other).holds(candidate) == (left or right)
    assert (~one).holds(candidate) == (not left)
    assert (~(one & other)).holds(candidate) == (~one | ~other).holds(candidate)


@pytest.mark.parametrize(
    ("tier", "pieces", "each", "granted"),
    [
        ("gold", 1, 1000, 50),
        ("standard", 10, 1000, 500),
        ("standard", 10, 999, None),
        ("standard", 9, 2000, None),
        ("standard", 1, 100000, None),
    ],
)
def test_the_shop_gives_five_percent_to_gold_customers_and_for_ten_things_of_a_hundred_euros(
    tier: str, pieces: int, each: int, granted: int | None
) -> None:
    order = an_order(pieces, each)
    expected = None if granted is None else Discount("gold or bulk", Money(granted, "EUR"))
    assert Discounts.parse(SHIPPED_RULES).best(order, tier) == expected


def test_the_best_rule_counts_and_they_do_not_add_up() -> None:
    rules = [{"name": str(percent), "percent": percent, "when": {"pieces": {"atLeast": 1}}} for percent in (5, 20, 10)]
    assert Discounts.parse(rules).best(an_order(1, 100), "standard") == Discount("20", Money(20, "EUR"))


def test_a_price_in_another_currency_is_no_price_that_counts() -> None:
    when = specification({"price": {"atLeast": {"amount": 1, "currency": "EUR"}}}, "when")
    assert not when.holds(Candidate(an_order(1, 100, "USD"), "gold"))


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"all": []}, r"rule 1\.when\.all: give a list"),
        ({"any": [{"tier": "gold"}, {"pieces": 3}]}, r"rule 1\.when\.any\[1\]\.pieces: give"),
        ({"not": {"colour": "red"}}, r"rule 1\.when\.not\.colour: give one of all, any"),
        ({"tier": "gold", "pieces": {}}, r"rule 1\.when: give one of"),
        ({"price": {"atLeast": {"amount": -1, "currency": "EUR"}}}, r"rule 1\.when\.price: -1 is not"),
        ("gold", r"rule 1\.when: give one of"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(when: object, said: str) -> None:
    with pytest.raises(InvalidRuleError, match=said):
        Discounts.parse([{"name": "broken", "percent": 5, "when": when}])


@pytest.mark.parametrize("rule", [{"name": "x", "percent": 5}, {"name": "x", "percent": 0, "when": {"tier": "a"}}, 7])
def test_a_rule_has_a_name_a_percentage_and_a_condition(rule: object) -> None:
    with pytest.raises(InvalidRuleError):
        Discounts.parse([rule])
