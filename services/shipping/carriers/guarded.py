"""What stands between shipping and one carrier, so that its troubles stay its own.

From the outside in: a retry with full jitter for what may pass, a bulkhead with places for this carrier alone, a
breaker that stops asking a carrier that keeps failing, a time limit. A try that waits for its next turn holds no place.
Whoever is refused by bulkhead or breaker, or ran out of time, isn't kept waiting: there are other carriers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

from chassis.breaker import Breaker
from chassis.bulkhead import Bulkhead
from chassis.retry import retry
from shipping.carriers.port import Booking, Carrier, CarrierUnavailableError, News, Offer
from shipping.domain.shipment import Parcel

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a carrier is waited for, in seconds, and how often it is asked at most."""

    booking: float = 10.0
    offer: float = 1.0
    attempts: int = 3


class GuardedCarrier:
    """A carrier behind its guards: calls raise what the carrier's do, or ``Full``, ``Open`` or ``TimeoutError``."""

    def __init__(self, carrier: Carrier, *, bulkhead: Bulkhead, breaker: Breaker, patience: Patience) -> None:
        self.name = carrier.name
        self._carrier = carrier
        self._bulkhead = bulkhead
        self._breaker = breaker
        self._patience = patience

    async def offer(self, parcel: Parcel) -> Offer:
        """What it would take. Somebody waits for the answer, so it is asked once and briefly."""
        return await self._ask(lambda: self._carrier.offer(parcel), seconds=self._patience.offer)

    async def book(self, reference: str, parcel: Parcel) -> Booking:
        """Take a parcel."""
        return await self._insist(lambda: self._carrier.book(reference, parcel))

    async def withdraw(self, reference: str) -> None:
        """Let go of whatever is booked under a reference."""
        await self._insist(lambda: self._carrier.withdraw(reference))

    async def track(self, codes: Collection[str]) -> dict[str, News]:
        """News of parcels by their tracking codes."""
        return await self._insist(lambda: self._carrier.track(codes))

    async def _insist(self, call: Callable[[], Awaitable[T]]) -> T:
        return await retry(
            lambda: self._ask(call, seconds=self._patience.booking),
            attempts=self._patience.attempts,
            retryable=lambda error: isinstance(error, CarrierUnavailableError),
        )

    async def _ask(self, call: Callable[[], Awaitable[T]], *, seconds: float) -> T:
        async with self._bulkhead:
            with self._breaker.attempt():
                async with asyncio.timeout(seconds):
                    return await call()
