"""The rules of an order hold for every order there can be."""

import string
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.adapters.memory_recent import MemoryRecentOrders
from orders.adapters.signed_references import LONGEST, SignedReferences
from orders.application import Ordering
from orders.domain.errors import InvalidMoneyError, MixedCurrenciesError, OrderError, UnknownProductsError
from orders.domain.money import Money
from orders.domain.order import LARGEST_QUANTITY, MOST_LINES, Item, Line, Order

EUR = "EUR"
skus = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=32)
customers = st.text(st.characters(min_codepoint=33, exclude_categories=["Cs"]), min_size=1, max_size=64)
amounts = st.integers(0, 10**9)
keys = st.text(string.ascii_letters, min_size=1, max_size=40)


@st.composite
def possible(draw: st.DrawFn) -> tuple[list[Item], dict[str, Money]]:
    """Items that can be ordered, and prices for them."""
    quantities = draw(st.dictionaries(skus, st.integers(1, LARGEST_QUANTITY), min_size=1, max_size=MOST_LINES))
    prices = {sku: Money(draw(amounts), EUR) for sku in quantities}
    return [Item(sku, quantity) for sku, quantity in quantities.items()], prices


orders = st.builds(
    lambda choice, customer, key: Order.place(customer=customer, items=choice[0], prices=choice[1], key=key),
    possible(),
    customers,
    keys,
)


class TestMoney:
    @given(st.lists(amounts, min_size=1))
    def test_a_sum_is_exact(self, values: list[int]) -> None:
        total = Money(0, EUR)
        for value in values:
            total += Money(value, EUR)
        assert total == Money(sum(values), EUR)

    @given(amounts, st.integers(0, 1000))
    def test_times_is_repeated_plus(self, amount: int, count: int) -> None:
        assert Money(amount, EUR) * count == Money(amount * count, EUR)

    def test_currencies_do_not_mix(self) -> None:
        with pytest.raises(MixedCurrenciesError, match="EUR and USD"):
            Money(1, EUR) + Money(1, "USD")

    @pytest.mark.parametrize(("amount", "currency"), [(-1, EUR), (1.5, EUR), (True, EUR), (1, "eur"), (1, "EURO")])
    def test_only_whole_minor_units_of_a_currency_are_money(self, amount: int, currency: str) -> None:
        with pytest.raises(InvalidMoneyError):
            Money(amount, currency)


class TestOrder:
    @given(possible(), customers, keys)
    def test_it_costs_the_sum_of_what_was_asked_for(
        self, choice: tuple[list[Item], dict[str, Money]], customer: str, key: str
    ) -> None:
        items, prices = choice
        order = Order.place(customer=customer, items=items, prices=prices, key=key)
        assert order.total.amount == sum(item.quantity * prices[item.sku].amount for item in items)
        assert {line.sku: line.quantity for line in order.lines} == {item.sku: item.quantity for item in items}

    def test_the_same_product_twice_is_one_line(self) -> None:
        items = [Item("a", 1), Item("b", 1), Item("a", 2)]
        order = Order.place(customer="ada", items=items, prices={"a": Money(5, EUR), "b": Money(7, EUR)}, key="k")
        assert [(line.sku, line.quantity) for line in order.lines] == [("a", 3), ("b", 1)]
        assert order.total == Money(22, EUR)

    @pytest.mark.parametrize(
        ("items", "reason"),
        [
            ([], "1 to 50"),
            ([Item(f"sku-{n}", 1) for n in range(MOST_LINES + 1)], "1 to 50"),
            ([Item("sku-1", 0)], "at least 1"),
            ([Item("sku-1", -1), Item("sku-1", 5)], "at least 1"),
            ([Item("sku-1", LARGEST_QUANTITY), Item("sku-1", 1)], "1 to 999"),
        ],
    )
    def test_what_breaks_a_rule_is_refused(self, items: list[Item], reason: str) -> None:
        prices = {f"sku-{n}": Money(1, EUR) for n in range(100)}
        with pytest.raises(OrderError, match=reason):
            Order.place(customer="ada", items=items, prices=prices, key="k")

    def test_unknown_products_are_named(self) -> None:
        with pytest.raises(UnknownProductsError, match="x, y") as refused:
            Order.place(customer="ada", items=[Item("y", 1), Item("x", 1)], prices={}, key="k")
        assert refused.value.skus == {"x", "y"}

    def test_mixed_currencies_are_refused(self) -> None:
        prices = {"a": Money(1, EUR), "b": Money(1, "USD")}
        with pytest.raises(MixedCurrenciesError):
            Order.place(customer="ada", items=[Item("a", 1), Item("b", 1)], prices=prices, key="k")

    def test_no_order_can_be_made_around_the_rules(self) -> None:
        line = Line("a", 1, Money(1, EUR))
        for number, customer, lines in [("", "ada", (line,)), ("o-1", "", (line,)), ("o-1", "ada", (line, line))]:
            with pytest.raises(OrderError):
                Order(number=number, customer=customer, lines=lines)

    def test_the_number_follows_from_customer_items_and_key_alone(self) -> None:
        items = [Item("a", 1), Item("b", 2), Item("c", 3)]
        cheap, dear = ({sku: Money(amount, EUR) for sku in "abc"} for amount in (1, 2))
        numbers = {
            Order.place(customer="ada", items=order, prices=prices, key="k").number
            for order in permutations(items)
            for prices in (cheap, dear)
        }
        assert len(numbers) == 1
        for customer, key, chosen in [("bob", "k", items), ("ada", "l", items), ("ada", "k", items[1:])]:
            assert Order.place(customer=customer, items=chosen, prices=cheap, key=key).number not in numbers


class TestReferences:
    @given(orders, st.binary(min_size=16, max_size=64))
    def test_an_id_leads_back_to_its_order_in_any_process_with_the_key(self, order: Order, key: bytes) -> None:
        reference = SignedReferences(key).refer(order)
        assert SignedReferences(key).refer(order) == reference
        assert SignedReferences(key).resolve(reference) == order

    @given(orders, st.data())
    def test_an_id_that_was_touched_leads_nowhere(self, order: Order, data: st.DataObject) -> None:
        references = SignedReferences(b"k" * 16)
        reference = references.refer(order)
        index = data.draw(st.integers(0, len(reference) - 2))  # the last character may have bits that mean nothing
        other = data.draw(st.sampled_from("Aa0_-").filter(lambda char: char != reference[index]))
        assert references.resolve(reference[:index] + other + reference[index + 1 :]) is None

    @given(orders)
    def test_another_key_knows_nothing_of_it(self, order: Order) -> None:
        assert SignedReferences(b"a" * 16).resolve(SignedReferences(b"b" * 16).refer(order)) is None

    @given(st.text())
    def test_any_text_is_read_without_an_error(self, text: str) -> None:
        assert SignedReferences(b"k" * 16).resolve(text) is None

    def test_the_longest_order_has_an_id_that_fits_a_path(self) -> None:
        lines = tuple(Line(f"{n:032d}", 999, Money(10**9, EUR)) for n in range(MOST_LINES))
        order = Order(number="o-" + "0" * 16, customer="x" * 64, lines=lines)
        assert len(SignedReferences(b"k" * 16).refer(order)) <= LONGEST


class FixedPrices:
    async def of(self, skus: object) -> dict[str, Money]:
        return {"rope-01": Money(2990, EUR)}


async def test_a_use_case_runs_on_any_adapters() -> None:
    ordering = Ordering(
        prices=FixedPrices(), references=SignedReferences(b"k" * 16), recent=MemoryRecentOrders(limit=2)
    )
    placed = [await ordering.place(customer="ada", items=[Item("rope-01", n)], key=str(n)) for n in (1, 2, 3)]
    assert ordering.find(placed[0].reference) == placed[0]
    assert ordering.recent("ada", limit=10) == [placed[2], placed[1]], "the latest first, the oldest forgotten"
    assert ordering.recent("ada", limit=1) == [placed[2]]
    assert ordering.recent("bob", limit=10) == []
    await ordering.place(customer="ada", items=[Item("rope-01", 3)], key="3")
    assert ordering.recent("ada", limit=10) == [placed[2], placed[1]], "placed again, it is the same order"
