"""Carriers to sail with, that can be told to be slow, to fail, or to hang, while they are at sea.

Their conditions and their books are kept behind two small ports: in the database for a shop of many processes, in
memory for a test. A carrier decides late: the delay comes before the deed, so a caller that gives up can't know.
"""

import asyncio
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shipping.carriers.port import Booking, CarrierRefusedError, CarrierUnavailableError, News, Offer, Progress
from shipping.domain.shipment import Parcel
from shipping.domain.tariff import Tariff


@dataclass(frozen=True, slots=True)
class Conditions:
    """How a carrier does. ``delay`` is in seconds; one that hangs never answers."""

    delay: float = 0.02
    fail_percent: float = 0.0
    hang: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A parcel in a carrier's books."""

    code: str
    collect_at: datetime
    deliver_at: datetime
    withdrawn: bool = False


class Books(Protocol):
    """What a carrier writes down."""

    async def conditions(self, carrier: str) -> Conditions:
        """How it does now."""

    async def enter(self, carrier: str, reference: str, entry: Entry) -> Entry:
        """Write a parcel down; where the reference is known already, what stands there."""

    async def withdraw(self, carrier: str, reference: str, entry: Entry) -> None:
        """Mark what stands under a reference as withdrawn; where nothing does, write ``entry`` down as such."""

    async def find(self, carrier: str, codes: Collection[str]) -> list[Entry]:
        """What stands under tracking codes."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds from a booking to its collection, and seconds that stand for a day on the way."""

    collection: float = 10.0
    day: float = 5.0


class SimulatedCarrier:
    """A carrier at a tariff."""

    def __init__(
        self,
        tariff: Tariff,
        books: Books,
        *,
        pace: Pace,
        now: Callable[[], datetime],
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.name = tariff.carrier
        self._tariff = tariff
        self._books = books
        self._pace = pace
        self._now = now
        self._draw = draw

    async def offer(self, parcel: Parcel) -> Offer:
        """What it would take."""
        await self._work()
        price = self._tariff.price(country=parcel.address.country, units=parcel.units)
        return Offer(self.name, price, self._entry("").deliver_at)

    async def book(self, reference: str, parcel: Parcel) -> Booking:
        """Take a parcel."""
        await self._work()
        if not self._tariff.serves(parcel.address.country):
            raise CarrierRefusedError(f"{self.name} doesn't go to {parcel.address.country}")
        entry = await self._books.enter(self.name, reference, self._entry(reference))
        if entry.withdrawn:
            raise CarrierRefusedError(f"{reference} was withdrawn")
        return Booking(self.name, entry.code, entry.collect_at)

    async def withdraw(self, reference: str) -> None:
        """Let go of a parcel; one that is under way comes back."""
        await self._work()
        await self._books.withdraw(self.name, reference, self._entry(reference))

    async def track(self, codes: Collection[str]) -> dict[str, News]:
        """News of parcels."""
        await self._work()
        return {entry.code: self._news(entry) for entry in await self._books.find(self.name, codes)}

    async def _work(self) -> None:
        conditions = await self._books.conditions(self.name)
        if conditions.hang:
            await asyncio.Event().wait()
        await asyncio.sleep(conditions.delay)
        if 100 * self._draw() < conditions.fail_percent:
            raise CarrierUnavailableError(f"{self.name} is out of order")

    def _entry(self, reference: str) -> Entry:
        collect_at = self._now() + timedelta(seconds=self._pace.collection)
        deliver_at = collect_at + timedelta(seconds=self._pace.day * self._tariff.days)
        return Entry(f"{self.name[:2].upper()}-{reference}", collect_at, deliver_at)

    def _news(self, entry: Entry) -> News:
        now = self._now()
        if now >= entry.deliver_at:
            return News(Progress.DELIVERED, None)
        if now >= entry.collect_at:
            return News(Progress.COLLECTED, entry.deliver_at)
        return News(Progress.BOOKED, entry.collect_at)
