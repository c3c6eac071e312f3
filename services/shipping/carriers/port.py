"""What shipping asks of a carrier, whichever it is."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from shipping.domain.shipment import Parcel


class CarrierUnavailableError(ConnectionError):
    """A carrier didn't do what it was asked. Asking again may help, and a booking may have been made all the same."""


class CarrierRefusedError(Exception):
    """A carrier will not take this parcel; asking again is no use."""


class Progress(StrEnum):
    """Where a carrier has a parcel."""

    BOOKED = "booked"
    COLLECTED = "collected"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class Offer:
    """What a carrier would charge, in minor units of the tariffs' currency, and when it would deliver."""

    carrier: str
    price: int
    delivery_at: datetime


@dataclass(frozen=True, slots=True)
class Booking:
    """A carrier's promise. ``look_at`` is when there will be news of the parcel."""

    carrier: str
    tracking_code: str
    look_at: datetime


@dataclass(frozen=True, slots=True)
class News:
    """Where a parcel is, and when there will be news again; None when there will be none."""

    progress: Progress
    look_at: datetime | None


class Carrier(Protocol):
    """A carrier. Each call may take long, fail by ``CarrierUnavailableError``, or hang."""

    name: str

    async def offer(self, parcel: Parcel) -> Offer:
        """What it would take."""

    async def book(self, reference: str, parcel: Parcel) -> Booking:
        """Take a parcel. Asked again with the same reference it gives the same booking.

        Raises ``CarrierRefusedError``, also for a reference that was withdrawn before.
        """

    async def withdraw(self, reference: str) -> None:
        """Let go of whatever is booked under a reference, and refuse it from now on."""

    async def track(self, codes: Collection[str]) -> dict[str, News]:
        """News of parcels by their tracking codes."""
