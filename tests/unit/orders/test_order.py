"""The rules of an order hold for every order there can be."""

import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.domain.address import Address
from orders.domain.errors import (
    InvalidAddressError,
    InvalidMoneyError,
    MixedCurrenciesError,
    OrderError,
    UnknownProductsError,
    WrongStateError,
)
from orders.domain.money import Money
from orders.domain.order import (
    LARGEST_QUANTITY,
    MOST_LINES,
    Discount,
    Event,
    Flow,
    Item,
    Line,
    Order,
    Party,
    Status,
)

EUR = "EUR"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PIER = Address("Ada", "Pier 4", "20457", "Hamburg", "DE")
skus = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=32)
amounts = st.integers(0, 10**9)


def place(items: list[Item], prices: dict[str, Money], customer: str = "ada", address: Address | None = None) -> Order:
    return Order.place(
        id="o-1",
        customer=customer,
        items=items,
        prices=prices,
        address=address,
        flow=Flow.ORCHESTRATED,
        now=NOON,
    )


def an_order() -> Order:
    return place([Item("rope-01", 2)], {"rope-01": Money(2990, EUR)})


@st.composite
def possible(draw: st.DrawFn) -> tuple[list[Item], dict[str, Money]]:
    """Items that can be ordered, and prices for them."""
    quantities = draw(st.dictionaries(skus, st.integers(1, LARGEST_QUANTITY), min_size=1, max_size=MOST_LINES))
    prices = {sku: Money(draw(amounts), EUR) for sku in quantities}
    return [Item(sku, quantity) for sku, quantity in quantities.items()], prices


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

    @given(amounts, st.integers(0, 100))
    def test_percent_and_the_rest_are_the_whole(self, amount: int, percent: int) -> None:
        whole = Money(amount, EUR)
        part = whole.percent(percent)
        assert part + (whole - part) == whole
        assert whole >= part

    @pytest.mark.parametrize("operation", ["__add__", "__sub__", "__ge__"])
    def test_currencies_do_not_mix(self, operation: str) -> None:
        with pytest.raises(MixedCurrenciesError, match="EUR and USD"):
            getattr(Money(1, EUR), operation)(Money(1, "USD"))

    def test_there_is_no_negative_money(self) -> None:
        with pytest.raises(InvalidMoneyError):
            Money(1, EUR) - Money(2, EUR)

    @pytest.mark.parametrize(("amount", "currency"), [(-1, EUR), (1.5, EUR), (True, EUR), (1, "eur"), (1, "EURO")])
    def test_only_whole_minor_units_of_a_currency_are_money(self, amount: int, currency: str) -> None:
        with pytest.raises(InvalidMoneyError):
            Money(amount, currency)


class TestAddress:
    def test_two_are_the_same_when_all_their_lines_are(self) -> None:
        assert Address(" Ada ", "Pier  4", "20457", "Hamburg", "DE") == PIER
        assert {PIER, Address("Ada", "Pier 4", "20457", "Hamburg", "DE")} == {PIER}

    @pytest.mark.parametrize(
        ("field", "value"),
        [("name", ""), ("street", " "), ("city", "x" * 101), ("postcode", "a\u0000b"), ("country", "de")],
    )
    def test_what_no_carrier_could_find_is_refused(self, field: str, value: str) -> None:
        lines = {"name": "Ada", "street": "Pier 4", "postcode": "20457", "city": "Hamburg", "country": "DE"}
        with pytest.raises(InvalidAddressError):
            Address(**{**lines, field: value})


class TestPlacing:
    @given(possible())
    def test_it_costs_the_sum_of_what_was_asked_for(self, choice: tuple[list[Item], dict[str, Money]]) -> None:
        items, prices = choice
        order = place(items, prices)
        assert order.total.amount == sum(item.quantity * prices[item.sku].amount for item in items)
        assert {line.sku: line.quantity for line in order.lines} == {item.sku: item.quantity for item in items}
        assert (order.status, order.news) == (Status.PENDING, (Event.PLACED,))

    def test_the_same_product_twice_is_one_line(self) -> None:
        items = [Item("a", 1), Item("b", 1), Item("a", 2)]
        order = place(items, {"a": Money(5, EUR), "b": Money(7, EUR)})
        assert [(line.sku, line.quantity) for line in order.lines] == [("a", 3), ("b", 1)]
        assert (order.total, order.pieces) == (Money(22, EUR), 4)

    def test_without_an_address_it_is_collected_at_the_counter(self) -> None:
        assert an_order().address == Address.at_the_counter("ada")
        assert place([Item("a", 1)], {"a": Money(1, EUR)}, address=PIER).address == PIER

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
            place(items, prices)

    def test_unknown_products_are_named(self) -> None:
        with pytest.raises(UnknownProductsError, match="x, y") as refused:
            place([Item("y", 1), Item("x", 1)], {})
        assert refused.value.skus == {"x", "y"}

    def test_mixed_currencies_are_refused(self) -> None:
        with pytest.raises(MixedCurrenciesError):
            place([Item("a", 1), Item("b", 1)], {"a": Money(1, EUR), "b": Money(1, "USD")})

    @pytest.mark.parametrize(
        "broken",
        [
            {"id": ""},
            {"customer": ""},
            {"lines": (Line("a", 1, Money(1, EUR)),) * 2},
            {"status": Status.CANCELLED},
            {"reason": "no reason for this", "status": Status.PENDING, "cancelled_by": Party.SHOP},
            {"discount": Discount("too good", Money(2, EUR))},
        ],
    )
    def test_no_order_can_be_made_around_the_rules(self, broken: dict[str, object]) -> None:
        whole: dict[str, object] = {
            "id": "o-1",
            "customer": "ada",
            "lines": (Line("a", 1, Money(1, EUR)),),
            "address": PIER,
            "flow": Flow.ORCHESTRATED,
            "placed_at": NOON,
        }
        with pytest.raises(OrderError):
            Order(**{**whole, **broken})  # type: ignore[arg-type]

    def test_a_discount_is_granted_before_it_is_stored_and_never_later(self) -> None:
        order = an_order().granted(Discount("gold", Money(299, EUR)))
        assert order.total == Money(5681, EUR)
        with pytest.raises(WrongStateError):
            order.confirm().granted(None)


class TestLife:
    def test_it_is_confirmed_shipped_and_delivered_and_tells_of_each(self) -> None:
        order = an_order().confirm().ship().deliver()
        assert order.status is Status.DELIVERED
        assert order.news == (Event.PLACED, Event.CONFIRMED, Event.SHIPPED, Event.DELIVERED)

    @given(st.lists(st.sampled_from(["confirm", "ship", "deliver", "cancel"])))
    def test_no_way_leads_back_or_past_a_state(self, verbs: list[str]) -> None:
        allowed = {
            ("pending", "confirm"): "confirmed",
            ("confirmed", "ship"): "shipped",
            ("shipped", "deliver"): "delivered",
            ("pending", "cancel"): "cancelled",
            ("confirmed", "cancel"): "cancelled",
        }
        order = an_order()
        for verb in verbs:
            expected = allowed.get((order.status, verb))
            before = order
            try:
                order = order.cancel("why not", Party.CUSTOMER) if verb == "cancel" else getattr(order, verb)()
            except WrongStateError:
                assert expected is None
            else:
                assert order.status == expected
                assert before.news == order.news[:-1], "and it is told"

    def test_who_cancels_says_why(self) -> None:
        with pytest.raises(OrderError, match="say why"):
            an_order().cancel("  ", Party.CUSTOMER)
        cancelled = an_order().cancel("ordered twice", Party.CUSTOMER)
        assert (cancelled.reason, cancelled.cancelled_by) == ("ordered twice", Party.CUSTOMER)
