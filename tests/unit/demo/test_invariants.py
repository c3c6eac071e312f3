from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.invariants.across import BROKEN_ACROSS, Booked, Charged, Priced, Row, Table, World

BANK = "the bank's books agree with the ledger"


def world(  # one order, `o`, as each service has it; None: no row there
    order: str | None = None,
    *,
    charge: str | None = None,
    reservation: str | None = None,
    shipment: str | None = None,
    quiet: bool = True,
    cost: int = 100,
    booked: int | None = None,
) -> World:
    return World(
        orders=Table({"o": Priced(order, quiet, cost, "EUR")} if order else {}),
        charges=Table({"o": Charged(charge, quiet, 100, "EUR", "r")} if charge else {}),
        reservations=Table({"o": Row(reservation, quiet)} if reservation else {}),
        shipments=Table({"o": Row(shipment, quiet)} if shipment else {}),
        bookings=None if booked is None else {"r": Booked(booked, "EUR")} if booked else {},
    )


def broken(seen: World) -> set[str]:
    return {finding.rule for rule in BROKEN_ACROSS for finding in rule(seen)}


GOOD = [
    world(),
    world("pending", quiet=False),
    world("pending", charge="deferred", reservation="held", quiet=False),
    world("confirmed", charge="charged", reservation="committed", shipment="booked"),
    world("shipped", charge="charged", reservation="shipped", shipment="dispatched"),
    world("delivered", charge="charged", reservation="shipped", shipment="delivered"),
    world("cancelled"),
    world("cancelled", charge="refunded", reservation="released", shipment="cancelled"),
    world("cancelled", charge="declined", reservation="expired", shipment="failed"),
    world("confirmed", charge="charged", reservation="committed", shipment="booked", booked=100),
    world("pending", charge="charged", booked=0, quiet=False),
    world("pending", charge="deferred", reservation="held", booked=100, quiet=False),
    world("cancelled", charge="refunded", booked=0),
]


@pytest.mark.parametrize("seen", GOOD)
def test_what_should_be_so_breaks_no_rule(seen: World) -> None:
    assert broken(seen) == set()


@pytest.mark.parametrize(
    ("seen", "rule"),
    [
        (world(charge="charged", quiet=False), "no charge without an order"),
        (world(charge="deferred", quiet=False), "no charge without an order"),
        (world("pending", charge="charged", cost=99, quiet=False), "a charge is what the order costs"),
        (world("cancelled", booked=100), BANK),
        (world("cancelled", charge="refunded", booked=100), BANK),
        (world("cancelled", charge="declined", booked=100), BANK),
        (world("confirmed", charge="charged", reservation="committed", shipment="booked", booked=0), BANK),
        (world("confirmed", charge="charged", reservation="committed", shipment="booked", booked=99), BANK),
        (world("pending", charge="declined", shipment="dispatched", quiet=False), "no shipment unpaid"),
        (world("cancelled", shipment="delivered", quiet=False), "no shipment unpaid"),
        (world("pending"), "no order waits for ever"),
        (world("confirmed", reservation="committed", shipment="booked"), "a confirmed order is confirmed everywhere"),
        (world("confirmed", charge="charged", shipment="booked"), "a confirmed order is confirmed everywhere"),
        (world("shipped", charge="charged", reservation="shipped"), "a shipped order is shipped everywhere"),
        (world("cancelled", charge="charged"), "a cancelled order is cancelled everywhere"),
        (world("cancelled", reservation="held"), "a cancelled order is cancelled everywhere"),
        (world("cancelled", shipment="booked"), "a cancelled order is cancelled everywhere"),
    ],
)
def test_what_should_not_be_so_breaks_its_rule(seen: World, rule: str) -> None:
    assert broken(seen) == {rule}


STATUSES = st.sampled_from(
    [None, "pending", "confirmed", "cancelled", "charged", "refunded", "held", "committed", "booked", "dispatched"]
)


@given(order=STATUSES, charge=STATUSES, reservation=STATUSES, shipment=STATUSES)
def test_what_is_under_way_is_judged_by_money_alone(
    order: str | None, charge: str | None, reservation: str | None, shipment: str | None
) -> None:
    seen = world(order, charge=charge, reservation=reservation, shipment=shipment, quiet=False)
    assert broken(seen) <= {"no charge without an order", "no shipment unpaid"}


def unknowns() -> Iterator[World]:
    all_wrong = world(charge="charged", shipment="delivered")
    yield World(Table({}, known=False), all_wrong.charges, all_wrong.reservations, Table({}, known=False))
    yield World(all_wrong.orders, Table({}, known=False), all_wrong.reservations, all_wrong.shipments)


@pytest.mark.parametrize("seen", list(unknowns()))
def test_nothing_is_said_of_a_service_that_was_not_asked(seen: World) -> None:
    assert broken(seen) == set()
