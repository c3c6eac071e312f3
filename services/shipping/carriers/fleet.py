"""All carriers: who is asked first, and who next when that one can't."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from chassis.breaker import Open
from chassis.bulkhead import Full
from shipping.carriers.guarded import GuardedCarrier
from shipping.carriers.port import Booking, CarrierRefusedError, Offer
from shipping.domain.shipment import Parcel
from shipping.domain.tariff import ranked

_log = logging.getLogger(__name__)


class NoCarrierError(Exception):
    """No carrier took the parcel; the message says what each had to say."""


@dataclass(frozen=True, slots=True)
class Booked:
    """A booking. ``doubtful``: another carrier may have made one too, for its answer never came."""

    booking: Booking
    doubtful: bool


class Fleet:
    """The carriers, each behind its own guards."""

    def __init__(self, carriers: Iterable[GuardedCarrier]) -> None:
        self._carriers = {carrier.name: carrier for carrier in carriers}

    @property
    def names(self) -> list[str]:
        """All of them."""
        return list(self._carriers)

    def get(self, name: str) -> GuardedCarrier:
        """The carrier of a name. Raises ``KeyError``."""
        return self._carriers[name]

    def able(self, parcel: Parcel) -> list[GuardedCarrier]:
        """Who can take a parcel, the cheapest first."""
        tariffs = ranked(parcel.address.country, parcel.units)
        return [self._carriers[tariff.carrier] for tariff in tariffs if tariff.carrier in self._carriers]

    async def book(self, reference: str, parcel: Parcel) -> Booked:
        """Book with the first carrier that takes it. Raises ``NoCarrierError``."""
        said: list[str] = []
        doubtful = False
        for carrier in self.able(parcel):
            try:
                return Booked(await carrier.book(reference, parcel), doubtful)
            except (Full, Open, CarrierRefusedError) as refusal:
                said.append(f"{carrier.name}: {refusal}")
            except OSError as failure:  # a time limit is one as well
                doubtful = True
                said.append(f"{carrier.name}: {failure or type(failure).__name__}")
            _log.info("a carrier doesn't take it", extra={"shipment": reference, "cause": said[-1]})
        raise NoCarrierError("; ".join(said))

    async def offers(self, parcel: Parcel) -> tuple[list[Offer], dict[str, str]]:
        """What each able carrier would take, the cheapest first, and why some don't say. All are asked at once."""
        able = self.able(parcel)
        answers = await asyncio.gather(*(self._offer(carrier, parcel) for carrier in able))
        offers = sorted((one for one in answers if isinstance(one, Offer)), key=lambda offer: offer.price)
        missing = {carrier.name: one for carrier, one in zip(able, answers, strict=True) if not isinstance(one, Offer)}
        return offers, missing

    async def _offer(self, carrier: GuardedCarrier, parcel: Parcel) -> Offer | str:
        try:
            return await carrier.offer(parcel)
        except (Full, Open, CarrierRefusedError, OSError) as failure:
            return str(failure) or "no answer in time"
