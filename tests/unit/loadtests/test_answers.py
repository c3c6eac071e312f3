import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests import answers
from loadtests.answers import Answer, Money, Order, Product, WrongAnswer

ROPE = Product("rope-01", Money(1999, "EUR"))
BELL = Product("bell-01", Money(5600, "EUR"))


def euros(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR"}


def order(**changes: Any) -> dict[str, Any]:
    items = [{"sku": "rope-01", "quantity": 2}]
    return {"id": "o1", "customer": "ada", "items": items, "total": euros(3998), **changes}


def answer(body: Any, *, status: int = 200, **headers: str) -> Answer:
    return Answer(status, headers, json.dumps(body).encode())


PLACED = Order("o1", "ada", {"rope-01": 2}, Money(3998, "EUR"))
READERS = [
    answers.catalog,
    answers.product(ROPE),
    answers.placed("ada", {ROPE: 2}),
    answers.order(PLACED),
    answers.orders_of("ada"),
    answers.accepted("ada", [{"sku": "rope-01", "quantity": 2}]),
    answers.cancelled(PLACED),
]


def test_right_answers_are_taken_apart() -> None:
    listed = [{"sku": "rope-01", "price": euros(1999), "name": "Rope"}, {"sku": "bell-01", "price": euros(5600)}]
    assert answers.catalog(answer({"products": listed, "total": 2})) == (ROPE, BELL)
    assert answers.product(ROPE)(answer(listed[0])) == ROPE
    assert answers.placed("ada", {ROPE: 2})(answer(order(), status=201, location="/api/v1/orders/o1")) == PLACED
    assert answers.order(PLACED)(answer(order())) == PLACED
    assert answers.orders_of("ada")(answer({"orders": [order()]})) == (PLACED,)
    assert answers.orders_of("ada")(answer({"orders": []})) == ()


@pytest.mark.parametrize("read", READERS)
@given(body=st.binary(max_size=30), status=st.sampled_from([200, 201, 404, 503]))
def test_no_body_breaks_the_reading(read: answers.Read[object], body: bytes, status: int) -> None:
    with pytest.raises(WrongAnswer):
        read(Answer(status, {}, body))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["products", "orders", "items", "sku", "price", "total"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("read", READERS[1:])
@given(body=json_values, status=st.sampled_from([200, 201]))
def test_other_json_is_a_wrong_answer(read: answers.Read[object], body: Any, status: int) -> None:
    if isinstance(body, dict) and body.get("orders") == []:
        return
    with pytest.raises(WrongAnswer):
        read(answer(body, status=status))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (order(id="o2"), "doesn't lead to order o2"),
        (order(customer="eve"), "the order of eve instead of ada"),
        (order(items=[]), "an order of other things"),
        (order(total=euros(3997)), "costs 3997 instead of 3998"),
        ({}, "not the expected shape"),
    ],
)
def test_an_order_that_was_placed_wrongly_is_told_apart(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(WrongAnswer, match=why):
        answers.placed("ada", {ROPE: 2})(answer(wrong, status=201, location="/api/v1/orders/o1"))


def test_an_order_that_changed_since_it_was_placed_is_wrong() -> None:
    with pytest.raises(WrongAnswer, match="another order than was placed"):
        answers.order(PLACED)(answer(order(customer="eve")))


def test_an_order_is_accepted_while_it_is_pending_or_confirmed_and_not_when_it_is_refused() -> None:
    read = answers.accepted("ada", [{"sku": "rope-01", "quantity": 2}])
    for status in ("pending", "confirmed"):
        assert read(answer(order(status=status), status=201)) == PLACED
    with pytest.raises(WrongAnswer, match=r"^cancelled"):
        read(answer(order(status="cancelled", reason="no stock"), status=201))
    with pytest.raises(WrongAnswer, match="somebody else"):
        read(answer(order(status="pending", customer="eve"), status=201))


def test_an_order_that_goes_on_though_it_was_cancelled_is_wrong() -> None:
    assert answers.cancelled(PLACED)(answer(order(status="cancelled"))) == PLACED
    assert answers.cancelled(PLACED)(answer(order(status="confirmed"), status=202)) == PLACED
    assert answers.cancelled(PLACED)(answer({"detail": "a carrier has it"}, status=409)) == PLACED
    with pytest.raises(WrongAnswer, match="confirmed instead of cancelled"):
        answers.cancelled(PLACED)(answer(order(status="confirmed")))


def test_somebody_elses_order_in_a_list_is_wrong() -> None:
    with pytest.raises(WrongAnswer, match="shows ada an order of eve"):
        answers.orders_of("ada")(answer({"orders": [order(), order(customer="eve")]}))


def test_another_price_than_in_the_list_is_wrong() -> None:
    with pytest.raises(WrongAnswer, match="another product"):
        answers.product(ROPE)(answer({"sku": "rope-01", "price": euros(1)}))


def test_a_shop_without_products_is_wrong() -> None:
    with pytest.raises(WrongAnswer, match="an empty catalog"):
        answers.catalog(answer({"products": []}))


def test_a_wrong_status_quotes_the_beginning_of_the_body() -> None:
    with pytest.raises(WrongAnswer, match=r"^403 instead of 200: RBAC: access denied$"):
        answers.status(200)(Answer(403, {}, b"RBAC:  access\ndenied"))
    with pytest.raises(WrongAnswer) as caught:
        answers.status(200)(Answer(500, {}, b"x" * 10_000))
    assert len(str(caught.value)) < 200
