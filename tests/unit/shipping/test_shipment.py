"""A shipment comes to the same, in whatever order and how often its messages come."""

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipping.domain.shipment import Address, Parcel, Shipment, Status, TooLateError
from shipping.domain.tariff import TARIFFS, ranked

PARCEL = Parcel(Address("Ada", "Quay 1", "24103", "Kiel", "DE"), (("rope-01", 2),))
Message = Callable[[Shipment], Shipment]


def placed(flow: Any) -> Message:
    return lambda shipment: shipment.placed(flow=flow, parcel=PARCEL)


def requested(shipment: Shipment) -> Shipment:
    return shipment.requested(PARCEL)


def cancelled(shipment: Shipment) -> Shipment:
    try:
        return shipment.cancelled("changed their mind")
    except TooLateError:
        return shipment


def booked(shipment: Shipment) -> Shipment:
    return shipment.booked("dray", "DR-1")


CHOREOGRAPHED = [placed("choreographed"), Shipment.charged]
ORCHESTRATED = [placed("orchestrated"), Shipment.charged, requested]
OUTSIDE = [booked, lambda shipment: shipment.failed("no carrier"), Shipment.dispatched, Shipment.delivered]


def told(messages: list[Message]) -> Shipment:
    shipment = Shipment("s-1", "o-1")
    for message in messages:
        shipment = message(shipment)
    return shipment


@pytest.mark.parametrize("messages", [CHOREOGRAPHED, ORCHESTRATED])
def test_it_is_asked_for_once_all_is_known_in_whatever_order(messages: list[Message]) -> None:
    for order in permutations(messages):
        assert told(list(order)).status is Status.REQUESTED
        assert told([*order, *order]).status is Status.REQUESTED


def test_an_order_that_is_paid_but_not_asked_for_is_not_shipped_by_the_orchestrated_flow() -> None:
    for order in permutations(ORCHESTRATED[:2]):
        assert told(list(order)).status is Status.AWAITED


def test_a_choreographed_order_is_not_shipped_unpaid() -> None:
    assert told([placed("choreographed"), booked]).status is Status.AWAITED


@given(st.permutations([*CHOREOGRAPHED, cancelled]), st.permutations([*ORCHESTRATED, cancelled]))
def test_a_cancellation_counts_even_when_it_overtakes_what_it_cancels(
    choreographed: list[Message], orchestrated: list[Message]
) -> None:
    for messages in (choreographed, orchestrated):
        assert told([*messages, booked, Shipment.dispatched]).status is Status.CANCELLED


@given(st.lists(st.sampled_from([*CHOREOGRAPHED, *ORCHESTRATED, cancelled, *OUTSIDE]), max_size=12), st.integers(0, 2))
def test_only_the_carrier_that_was_chosen_keeps_a_booking(messages: list[Message], tries: int) -> None:
    shipment = replace(told(messages), tries=tries)
    unwanted = shipment.unwanted(["coaster", "dray"])
    on_its_way = shipment.status in (Status.BOOKED, Status.DISPATCHED, Status.DELIVERED)
    if tries == 0 or shipment.status in (Status.AWAITED, Status.REQUESTED):
        assert unwanted == ()
    else:
        assert unwanted == (("coaster",) if on_its_way else ("coaster", "dray"))
    assert not on_its_way or shipment.tracking_code == "DR-1"


@given(st.lists(st.sampled_from([*CHOREOGRAPHED, *ORCHESTRATED, cancelled, *OUTSIDE]), max_size=12))
def test_what_has_ended_never_changes(messages: list[Message]) -> None:
    shipment, ended = Shipment("s-1", "o-1"), None
    for message in messages:
        shipment = message(shipment)
        if ended:
            assert shipment.status is ended
        if shipment.status in (Status.DELIVERED, Status.FAILED, Status.CANCELLED):
            ended = shipment.status


def test_a_parcel_is_called_back_until_it_has_arrived() -> None:
    under_way = told([requested, booked, Shipment.dispatched])
    assert under_way.cancelled("too late?").status is Status.CANCELLED
    with pytest.raises(TooLateError, match="o-1 is delivered"):
        under_way.delivered().cancelled("too late")


def test_a_shipment_is_withdrawn_until_the_carrier_has_it() -> None:
    assert Shipment("s-1", "o-1").withdrawn("cancelled").status is Status.CANCELLED
    assert told([requested, booked]).withdrawn("cancelled").status is Status.CANCELLED
    for late in (told([requested, booked, Shipment.dispatched]), told([requested, *OUTSIDE])):
        with pytest.raises(TooLateError):
            late.withdrawn("cancelled")


@given(st.sampled_from(["DE", "DK", "FR", "JP"]), st.integers(1, 5000))
def test_who_is_asked_first_is_the_cheapest_that_goes_there(country: str, units: int) -> None:
    order = ranked(country, units)
    prices = [tariff.price(country=country, units=units) for tariff in order]
    assert prices == sorted(prices)
    assert {tariff.carrier for tariff in order} == {tariff.carrier for tariff in TARIFFS if tariff.serves(country)}
    assert order, "somebody goes everywhere"
