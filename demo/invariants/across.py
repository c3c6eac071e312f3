"""Rules between services, on what each of them has stored about an order: pure functions of it.

The databases can't be read at one moment. So they are read against the flow: what follows is read before what it must
follow from, and a charge whose order isn't there is never one whose order was still to be seen.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from demo.invariants.finding import Finding

PAID = {"charged"}
OWED = {"deferred", "intended", "refunding"}
HELD = {"held", "committed"}
UNDER_WAY = {"requested", "booked"}
GONE = {"dispatched", "delivered"}
GOOD = {"confirmed", "shipped", "delivered"}


@dataclass(frozen=True)
class Row:
    """What a service has stored about an order. ``quiet``: it hasn't changed for longer than the grace."""

    status: str
    quiet: bool


@dataclass(frozen=True)
class Priced(Row):
    """A row that says how much, in minor units of a currency."""

    amount: int
    currency: str


RowT = TypeVar("RowT", bound=Row)


@dataclass(frozen=True)
class Table(Generic[RowT]):
    """Rows by order. ``known`` is False where the service wasn't asked: then nothing can be said of it."""

    rows: Mapping[str, RowT]
    known: bool = True

    def of(self, order: str) -> str:
        """The status there; ``nothing`` where there is no row."""
        row = self.rows.get(order)
        return row.status if row else "nothing"

    def quiet(self, order: str) -> bool:
        """Whether nothing is under way there."""
        row = self.rows.get(order)
        return row is None or row.quiet


@dataclass(frozen=True)
class Charged(Priced):
    """What payments says of a charge. ``reference`` is how the bank knows it."""

    reference: str


@dataclass(frozen=True)
class Booked:
    """What the bank has taken and not given back, in minor units of a currency."""

    amount: int
    currency: str

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


@dataclass(frozen=True)
class World:
    """What all services say about all orders, and the bank about references; its books are None where it wasn't asked.

    The shop never sees those: it has only the bank's word.
    """

    orders: Table[Priced]
    charges: Table[Charged]
    reservations: Table[Row]
    shipments: Table[Row]
    bookings: Mapping[str, Booked] | None = None

    def at_rest(self, order: str) -> bool:
        """Whether nobody has touched the order for longer than the grace."""
        return all(table.quiet(order) for table in (self.orders, self.charges, self.reservations, self.shipments))


def charged_without_order(world: World) -> Iterator[Finding]:
    """No charge without an order, and none of another sum."""
    if not (world.orders.known and world.charges.known):
        return
    for order, charge in world.charges.rows.items():
        if charge.status not in PAID | OWED:
            continue
        placed = world.orders.rows.get(order)
        told = f"{charge.status}, {charge.amount} {charge.currency}"
        if placed is None:
            yield Finding("no charge without an order", order, told)
        elif (placed.amount, placed.currency) != (charge.amount, charge.currency):
            yield Finding("a charge is what the order costs", order, f"{told}; costs {placed.amount} {placed.currency}")


def bank_and_ledger_differ(world: World) -> Iterator[Finding]:
    """The bank has what the ledger says that it has: nothing that nobody asked for, and each sum to the cent."""
    if world.bookings is None or not world.charges.known:
        return
    rule = "the bank's books agree with the ledger"
    asked = {charge.reference: order for order, charge in world.charges.rows.items()}
    for reference, booked in world.bookings.items():
        if reference not in asked:
            yield Finding(rule, reference, f"the bank took {booked}, and nobody here has asked for it")
    for order, charge in world.charges.rows.items():
        if charge.status in OWED or not charge.quiet:
            continue
        taken = world.bookings.get(charge.reference)
        wanted = Booked(charge.amount, charge.currency) if charge.status in PAID else None
        if taken != wanted:
            yield Finding(rule, order, f"{charge.status}: {wanted or 'nothing'} here, {taken or 'nothing'} at the bank")


def shipped_unpaid(world: World) -> Iterator[Finding]:
    """No shipment unpaid."""
    if not (world.charges.known and world.shipments.known):
        return
    for order, shipment in world.shipments.rows.items():
        paid = world.charges.of(order)
        if shipment.status in GONE and paid not in PAID:
            yield Finding("no shipment unpaid", order, f"{shipment.status}, its charge is {paid}")


def good_orders_have_all(world: World) -> Iterator[Finding]:
    """An order that was confirmed is paid, its goods are kept or gone, and somebody carries it."""
    wanted = (
        ("paid", world.charges, PAID),
        ("in stock for it", world.reservations, {"committed", "shipped"}),
        ("carried", world.shipments, UNDER_WAY | GONE),
    )
    yield from _of_orders(world, GOOD, lambda order: _lacking(order, wanted))


def cancelled_orders_have_nothing(world: World) -> Iterator[Finding]:
    """An order that was cancelled has its money back, its goods released, and no carrier."""
    unwanted = (
        ("charge", world.charges, PAID | OWED),
        ("reservation", world.reservations, HELD | {"shipped"}),
        ("shipment", world.shipments, UNDER_WAY | GONE),
    )
    yield from _of_orders(
        world,
        {"cancelled"},
        lambda order: [f"its {what} is {table.of(order)}" for what, table, left in unwanted if table.of(order) in left],
    )


def pending_orders_end(world: World) -> Iterator[Finding]:
    """No order waits for ever."""
    for order, row in world.orders.rows.items():
        if row.status == "pending" and row.quiet:
            yield Finding("no order waits for ever", order, "pending, and nothing has happened to it for a while")


def _of_orders(world: World, statuses: set[str], wrong: Callable[[str], list[str]]) -> Iterator[Finding]:
    for order, row in world.orders.rows.items():
        if row.status in statuses and world.at_rest(order):
            for detail in wrong(order):
                yield Finding(f"a {row.status} order is {row.status} everywhere", order, detail)


def _lacking(order: str, wanted: tuple[tuple[str, Table[Charged] | Table[Row], set[str]], ...]) -> list[str]:
    return [
        f"isn't {what}: {table.of(order)}"
        for what, table, good in wanted
        if table.known and table.of(order) not in good
    ]


BROKEN_ACROSS: tuple[Callable[[World], Iterator[Finding]], ...] = (
    charged_without_order,
    bank_and_ledger_differ,
    shipped_unpaid,
    good_orders_have_all,
    cancelled_orders_have_nothing,
    pending_orders_end,
)
