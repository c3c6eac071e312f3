"""An order is picked completely or not at all, from as few warehouses as the rule finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.domain.allocation import Pick, allocate
from inventory.domain.errors import ShortError, Shortfall
from inventory.domain.stock import StockItem

SKUS = ["anchor-01", "bell-01", "rope-01"]
WAREHOUSES = ["harbour", "north", "south"]

demands = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 20), min_size=1)
shelves = st.dictionaries(st.tuples(st.sampled_from(WAREHOUSES), st.sampled_from(SKUS)), st.integers(0, 20))


def stock(shelf: dict[tuple[str, str], int]) -> list[StockItem]:
    """Items with the nearest warehouse first."""
    return [
        StockItem(sku, warehouse, received=count, available=count)
        for (warehouse, sku), count in sorted(shelf.items(), key=lambda entry: entry[0])
    ]


@given(demands, shelves)
def test_all_is_picked_or_nothing(demand: dict[str, int], shelf: dict[tuple[str, str], int]) -> None:
    free = {sku: sum(count for (_, other), count in shelf.items() if other == sku) for sku in SKUS}
    short = tuple(Shortfall(sku, wanted, free[sku]) for sku, wanted in sorted(demand.items()) if free[sku] < wanted)
    if short:
        with pytest.raises(ShortError) as refused:
            allocate(demand, stock(shelf))
        assert refused.value.shortfalls == short
        return
    picks = allocate(demand, stock(shelf))
    assert {sku: sum(pick.units for pick in picks if pick.sku == sku) for sku in demand} == demand
    for pick in picks:
        assert 1 <= pick.units <= shelf[pick.warehouse, pick.sku]
    assert len({(pick.sku, pick.warehouse) for pick in picks}) == len(picks)


@given(demands, shelves)
def test_the_nearest_warehouse_that_has_everything_is_the_only_one(
    demand: dict[str, int], shelf: dict[tuple[str, str], int]
) -> None:
    complete = [name for name in WAREHOUSES if all(shelf.get((name, sku), 0) >= units for sku, units in demand.items())]
    if complete:
        assert {pick.warehouse for pick in allocate(demand, stock(shelf))} == {complete[0]}


def test_where_no_warehouse_has_everything_the_one_that_has_most_comes_first() -> None:
    shelf = {("harbour", "rope-01"): 2, ("north", "rope-01"): 5, ("south", "bell-01"): 1, ("north", "bell-01"): 0}
    assert allocate({"rope-01": 6, "bell-01": 1}, stock(shelf)) == (
        Pick("bell-01", "south", 1),
        Pick("rope-01", "harbour", 1),
        Pick("rope-01", "north", 5),
    )


def test_what_nobody_has_ever_had_is_short_as_well() -> None:
    with pytest.raises(ShortError, match=r"1 of sail-01 \(free: 0\)"):
        allocate({"sail-01": 1}, [])
