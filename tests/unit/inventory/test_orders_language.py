"""What orders says is understood, what it doesn't need to know stays here, and nothing is lost on the way."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chassis.events import event
from inventory import orders_language
from inventory.domain.allocation import Pick
from inventory.domain.reservation import Reservation, Status
from support.shop_events import placed

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
skus = st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True)
items = st.lists(st.fixed_dictionaries({"sku": skus, "quantity": st.integers(1, 999)}), min_size=1, max_size=50)


@given(items)
def test_items_come_back_as_they_were_said_each_product_once(said: list[dict[str, Any]]) -> None:
    back = orders_language.items(orders_language.demand(said))
    assert orders_language.demand(back) == orders_language.demand(said)
    assert {one["sku"]: one["quantity"] for one in back} == {
        sku: sum(one["quantity"] for one in said if one["sku"] == sku) for sku in {one["sku"] for one in said}
    }
    assert len(back) == len({one["sku"] for one in said})


def test_prices_customers_and_addresses_stay_outside() -> None:
    plain = placed("o-1", "ada").payload
    changed = {**plain, "customer": "bob", "total": None, "address": None, "discount": "new in orders"}
    changed["items"] = [{**item, "price": None, "gift": True} for item in plain["items"]]
    assert orders_language.claim(changed) == orders_language.claim(plain)


@given(items)
def test_what_is_told_keeps_the_schemas_and_names_no_warehouse(said: list[dict[str, Any]]) -> None:
    demand = orders_language.demand(said)
    picks = tuple(Pick(sku, "kiel", units) for sku, units in demand)
    reservation = Reservation("r-1", "o-1", "choreographed", demand, NOON, status=Status.HELD, picks=picks)
    for told in (
        event("StockReserved", orders_language.reserved(reservation)),
        event("StockReleased", orders_language.released(reservation, "expired")),
        event("StockReservationFailed", orders_language.refused("o-1", "choreographed", "not in stock")),
    ):
        assert "kiel" not in told.to_bytes().decode()
        assert told.payload["saga"] == "choreographed"
