"""What shipping does by the clock: asks carriers for news of parcels, and tells them to let go of what nobody wants."""

import asyncio
import logging
import random
from collections import defaultdict
from datetime import timedelta
from typing import Final

from chassis.database import Database
from chassis.inbox import Inbox
from chassis.problems import Problem
from chassis.retry import wait_before
from shipping import store
from shipping.carriers.fleet import Fleet
from shipping.carriers.port import News, Progress
from shipping.domain.shipment import Shipment, Status
from shipping.office import Change, Office
from shipping.store import Withdrawal

_log = logging.getLogger(__name__)

_BATCH: Final = 200
_LEASE: Final = timedelta(seconds=15)

_CHANGES: Final[dict[Progress, tuple[Change, ...]]] = {
    Progress.BOOKED: (),
    Progress.COLLECTED: (Shipment.dispatched,),
    Progress.DELIVERED: (Shipment.dispatched, Shipment.delivered),
}
"""A parcel may have gone on twice since the last look; each step is told."""


class Rounds:
    """A job that is safe beside itself: what is taken on is leased."""

    def __init__(self, *, database: Database, office: Office, fleet: Fleet) -> None:
        self._database = database
        self._office = office
        self._fleet = fleet
        self._now = office.now

    async def make(self) -> None:
        """Take on what is due, and ask all carriers at once."""
        under_way = [Status.BOOKED, Status.DISPATCHED]
        async with self._database.transaction() as session:
            due = await store.claim(session, under_way, now=self._now(), lease=_LEASE, limit=_BATCH)
            unwanted = await store.claim_withdrawals(session, now=self._now(), lease=_LEASE, limit=_BATCH)
        by_carrier: dict[str, dict[str, str]] = defaultdict(dict)
        for shipment in (record.shipment for record in due):
            if shipment.carrier is not None and shipment.tracking_code is not None:
                by_carrier[shipment.carrier][shipment.tracking_code] = shipment.order_id
        questions = (self._ask(carrier, codes) for carrier, codes in by_carrier.items())
        await asyncio.gather(*questions, *(self._withdraw(one) for one in unwanted))

    async def forget(self) -> None:
        """Forget which events were handled, once the broker can't send them again."""
        async with self._database.transaction() as session:
            await Inbox().forget(session, self._now())

    async def _ask(self, carrier: str, codes: dict[str, str]) -> None:
        """Ask for news of all its parcels in one question."""
        try:
            news = await self._fleet.get(carrier).track(codes)
        except (OSError, Problem) as failure:
            _log.warning("no news from a carrier", extra={"carrier": carrier, "cause": repr(failure)})
            return  # due again when the lease is over
        for code, one in news.items():
            await self._follow(codes[code], one)

    async def _follow(self, order_id: str, news: News) -> None:
        async with self._database.transaction() as session:
            await self._office.follow(session, order_id, _CHANGES[news.progress], look_at=news.look_at)

    async def _withdraw(self, one: Withdrawal) -> None:
        """Tell a carrier to let go, again and again until it has."""
        due_at = None
        try:
            await self._fleet.get(one.carrier).withdraw(one.reference)
        except (OSError, Problem) as failure:
            _log.warning("a carrier doesn't let go", extra={"carrier": one.carrier, "cause": repr(failure)})
            wait = wait_before(one.tries, base=1.0, draw=random.random)
            due_at = self._now() + timedelta(seconds=wait)
        async with self._database.transaction() as session:
            await store.settle_withdrawal(session, one, due_at=due_at)
