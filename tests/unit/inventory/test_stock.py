"""Stock is conserved and never below zero, whatever is done to it in whatever order."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.domain.errors import InventoryError, ShortError
from inventory.domain.replenishment import check_policy, units_to_buy
from inventory.domain.stock import StockItem

Move = Callable[[StockItem, int], StockItem]
MOVES: list[Move] = [StockItem.receive, StockItem.reserve, StockItem.release, StockItem.ship, StockItem.take_back]

counts = st.integers(0, 10**7)
items = st.builds(
    lambda available, reserved, shipped, reorder_point: StockItem(
        "rope-01",
        "north",
        received=available + reserved + shipped,
        available=available,
        reserved=reserved,
        shipped=shipped,
        reorder_point=reorder_point,
    ),
    counts,
    counts,
    counts,
    counts,
)


@given(st.lists(st.tuples(st.sampled_from(MOVES), st.integers(-1, 50)), max_size=60))
def test_every_item_that_can_be_reached_is_conserved_and_not_negative(moves: list[tuple[Move, int]]) -> None:
    item, received = StockItem("rope-01", "north"), 0
    for move, units in moves:
        try:
            item = move(item, units)
        except InventoryError:
            continue
        received += units if move is StockItem.receive else 0
        assert item.received == received == item.available + item.reserved + item.shipped
        assert min(item.available, item.reserved, item.shipped) >= 0


@given(items, st.integers(1, 10**7))
def test_what_is_released_is_free_as_before(item: StockItem, units: int) -> None:
    if units > item.available:
        with pytest.raises(ShortError):
            item.reserve(units)
    else:
        assert item.reserve(units).release(units).available == item.available


def test_an_item_that_breaks_the_law_cannot_be_made() -> None:
    for received, available, reserved in [(1, 0, 0), (0, 1, 0), (0, 1, -1)]:
        with pytest.raises(InventoryError):
            StockItem("rope-01", "north", received=received, available=available, reserved=reserved)


def test_low_is_said_at_the_reorder_point_and_taken_back_only_by_goods_that_come_in() -> None:
    item = StockItem("rope-01", "north", received=5, available=5, reorder_point=3)
    assert not item.reserve(1).low
    low = item.reserve(2)
    assert low.low
    assert low.release(2).low, "an order that is cancelled must not call off the warning"
    assert low.reserve(3).receive(1).low, "1 is still no more than 3"
    assert not low.receive(1).low


@given(items, counts, counts)
def test_what_is_bought_fills_up_to_the_level_and_is_not_bought_again(
    item: StockItem, on_order: int, above: int
) -> None:
    policy = StockItem(
        item.sku,
        item.warehouse,
        received=item.received,
        available=item.available,
        reserved=item.reserved,
        shipped=item.shipped,
        reorder_point=item.reorder_point,
        order_up_to=item.reorder_point + above + 1,
    )
    units = units_to_buy(policy, on_order=on_order)
    if units:
        assert policy.available + on_order <= policy.reorder_point
        assert policy.available + on_order + units == policy.order_up_to
        assert units_to_buy(policy, on_order=on_order + units) == 0
    else:
        assert policy.available + on_order > policy.reorder_point


def test_nothing_is_bought_without_a_level() -> None:
    assert units_to_buy(StockItem("rope-01", "north", reorder_point=5), on_order=0) == 0


@pytest.mark.parametrize(("reorder_point", "order_up_to"), [(-1, 0), (0, -1), (5, 5), (5, 3)])
def test_a_policy_that_makes_no_sense_is_refused(reorder_point: int, order_up_to: int) -> None:
    with pytest.raises(InventoryError):
        check_policy(reorder_point=reorder_point, order_up_to=order_up_to)
