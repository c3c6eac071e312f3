"""A shipment: what is known about getting one order to its buyer, and what follows from it.

What shipping hears comes by messages, some twice and in any order: a cancellation may overtake the request it cancels,
and a payment the order it pays. So a shipment is made by whichever comes first and learns the rest; what it has learned
decides, not the order in which it came.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

Flow = Literal["orchestrated", "choreographed"]


class ShippingError(Exception):
    """A rule stands against it; the message says which one."""


class TooLateError(ShippingError):
    """The parcel has arrived, or is under way."""


class Status(StrEnum):
    """Where a shipment is in its life."""

    AWAITED = "awaited"
    """Something is known of it, not enough to book."""
    REQUESTED = "requested"
    """A carrier is to be found."""
    BOOKED = "booked"
    """A carrier has promised to collect it."""
    DISPATCHED = "dispatched"
    """The carrier has it."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """No carrier took it."""
    CANCELLED = "cancelled"
    """The order was cancelled before the parcel arrived."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a parcel goes. ``country`` is an ISO 3166 code of two letters."""

    name: str
    street: str
    postcode: str
    city: str
    country: str


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is carried where. ``items`` is units by SKU, sorted."""

    address: Address
    items: tuple[tuple[str, int], ...]

    @property
    def units(self) -> int:
        """How many things are in it."""
        return sum(units for _, units in self.items)


@dataclass(frozen=True, slots=True)
class Shipment:
    """What is known about the shipment of an order. There is one for an order.

    ``tries`` is how often carriers have been asked, counted before they are: a process that dies while it asks leaves
    carriers behind that may have said yes to nobody.
    """

    id: str
    order_id: str
    status: Status = Status.AWAITED
    flow: Flow | None = None
    parcel: Parcel | None = None
    paid: bool = False
    carrier: str | None = None
    tracking_code: str | None = None
    reason: str | None = None
    tries: int = 0

    def placed(self, *, flow: Flow, parcel: Parcel) -> "Shipment":
        """An order was placed. In the choreographed flow it is shipped once it is paid too."""
        if self.flow == "orchestrated" and self.status is not Status.AWAITED:
            return self  # asked for already: what the request said counts
        return _asked_when_ready(replace(self, flow=flow, parcel=parcel))

    def charged(self) -> "Shipment":
        """The order was paid."""
        return _asked_when_ready(replace(self, paid=True))

    def requested(self, parcel: Parcel) -> "Shipment":
        """Orders asks for it, which has seen to the payment itself."""
        if self.status is not Status.AWAITED:
            return self
        return replace(self, status=Status.REQUESTED, flow="orchestrated", parcel=parcel)

    def cancelled(self, reason: str) -> "Shipment":
        """The order was cancelled; a parcel that is under way is called back. Raises ``TooLateError`` on arrival."""
        if self.status is Status.DELIVERED:
            raise TooLateError(f"the parcel of {self.order_id} is delivered: it can't be called back any more")
        if self.status in (Status.FAILED, Status.CANCELLED):
            return self
        return replace(self, status=Status.CANCELLED, reason=reason)

    def withdrawn(self, reason: str) -> "Shipment":
        """Orders wants it back before it cancels the order. Raises ``TooLateError`` once the carrier has the parcel."""
        if self.status is Status.DISPATCHED:
            raise TooLateError(f"the carrier has the parcel of {self.order_id} already")
        return self.cancelled(reason)

    def booked(self, carrier: str, tracking_code: str) -> "Shipment":
        """A carrier took it."""
        if self.status is not Status.REQUESTED:
            return self
        return replace(self, status=Status.BOOKED, carrier=carrier, tracking_code=tracking_code)

    def failed(self, reason: str) -> "Shipment":
        """No carrier took it, and nobody tries any more."""
        return replace(self, status=Status.FAILED, reason=reason) if self.status is Status.REQUESTED else self

    def dispatched(self) -> "Shipment":
        """The carrier has collected it."""
        return replace(self, status=Status.DISPATCHED) if self.status is Status.BOOKED else self

    def delivered(self) -> "Shipment":
        """It has arrived."""
        return replace(self, status=Status.DELIVERED) if self.status is Status.DISPATCHED else self

    def unwanted(self, carriers: Iterable[str]) -> tuple[str, ...]:
        """Those of the carriers that may hold a booking which nobody wants any more.

        A call that timed out may have been a yes. So when a carrier is chosen, or none is to be, all others that may
        have been asked are told to let go.
        """
        if self.tries == 0 or self.status in (Status.AWAITED, Status.REQUESTED):
            return ()
        kept = self.carrier if self.status in (Status.BOOKED, Status.DISPATCHED, Status.DELIVERED) else None
        return tuple(carrier for carrier in carriers if carrier != kept)


def _asked_when_ready(shipment: Shipment) -> Shipment:
    ready = shipment.flow == "choreographed" and shipment.paid and shipment.parcel is not None
    return replace(shipment, status=Status.REQUESTED) if ready and shipment.status is Status.AWAITED else shipment
