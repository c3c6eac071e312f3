"""Finds carriers for shipments that are asked for, beside everything else that the service does.

Shipments wait in their table, not in a queue of this process. Whoever takes one on holds a lease on it, prolonged while
a carrier takes its time; a process that dies loses the lease, and another one asks the same carrier with the same
reference. No transaction is open while a carrier is asked. As many shipments are under way as carriers have places:
one that hangs fills its own, and what it can't take goes to the next carrier at once.
"""

import asyncio
import logging
import random
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

from chassis.database import Database, DatabaseUnavailable
from chassis.retry import wait_before
from chassis.share import Share
from shipping import store
from shipping.carriers.fleet import Fleet, NoCarrierError
from shipping.domain.shipment import Status
from shipping.office import Office
from shipping.store import Record

_log = logging.getLogger(__name__)

LEASE: Final = timedelta(seconds=6)
_SOON: Final = 0.2
_SELDOM: Final = 2.0
"""Seconds between looks at the table while there is something to do, and when there has been nothing for a while."""
_PROLONG: Final = 1.5
_FIRST_WAIT: Final = 0.5


@dataclass(frozen=True, slots=True)
class Limits:
    """How many shipments are under way at once, and how long a carrier is looked for."""

    at_once: int
    patience: timedelta


class Dispatch:
    """The loop that books."""

    def __init__(self, *, database: Database, office: Office, fleet: Fleet, share: Share, limits: Limits) -> None:
        self._database = database
        self._office = office
        self._fleet = fleet
        self._share = share
        self._limits = limits
        self._now = office.now
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._pause = _SOON
        self._stir = asyncio.Event()

    def stir(self) -> None:
        """There may be something to do."""
        self._stir.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Book until ``stopping`` is set, then finish what is under way. Cancelled, it leaves that to others."""
        keeper = asyncio.create_task(self._keep_leases())
        try:
            while not stopping.is_set():
                if self._share.turn():
                    await self._survive(self._take_on())
                await self._stirred()
            if self._under_way:
                await asyncio.wait(self._under_way.values())
        finally:
            for task in (keeper, *self._under_way.values()):
                task.cancel()

    async def _take_on(self) -> None:
        free = self._limits.at_once - len(self._under_way)
        if free <= 0:
            return
        async with self._database.transaction() as session:
            records = await store.claim(session, [Status.REQUESTED], now=self._now(), lease=LEASE, limit=free)
        self._pause = _SOON if records else min(_SELDOM, 2 * self._pause)
        for record in records:
            order_id = record.shipment.order_id
            task = asyncio.create_task(self._survive(self._book(record)), name=f"book {order_id}")
            self._under_way[order_id] = task
            task.add_done_callback(partial(self._done, order_id))

    def _done(self, order_id: str, task: asyncio.Task[None]) -> None:
        if len(self._under_way) == self._limits.at_once:
            self._stir.set()  # others may wait for its place
        del self._under_way[order_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a booking failed, and is tried again", extra={"orderId": order_id}, exc_info=error)

    async def _book(self, record: Record) -> None:
        shipment = record.shipment
        if shipment.parcel is None:
            raise ValueError(f"{shipment.order_id} was asked for without a parcel")
        try:
            booked = await self._fleet.book(shipment.id, shipment.parcel)
        except NoCarrierError as error:
            await self._put_off_or_give_up(record, str(error))
            return
        async with self._database.transaction() as session:
            await self._office.book(session, shipment.order_id, booked.booking, doubtful=booked.doubtful)

    async def _put_off_or_give_up(self, record: Record, reason: str) -> None:
        wait = wait_before(record.shipment.tries - 1, base=_FIRST_WAIT, draw=random.random)
        again = self._now() + timedelta(seconds=wait)
        async with self._database.transaction() as session:
            if record.asked_at is not None and again > record.asked_at + self._limits.patience:
                await self._office.give_up(session, record.shipment.order_id, f"no carrier took it: {reason}"[:500])
            else:
                await self._office.put_off(session, record.shipment.order_id, again)

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(_PROLONG)
            if self._under_way:
                await self._survive(self._prolong())

    async def _prolong(self) -> None:
        async with self._database.transaction() as session:
            await store.prolong(session, self._under_way, now=self._now(), lease=LEASE)

    async def _survive(self, work: Coroutine[Any, Any, None]) -> None:
        """A database that is out ends nothing: leases run out, and the shipments are taken on again."""
        try:
            await work
        except DatabaseUnavailable as error:
            _log.warning("the database is out", extra={"cause": str(error)})

    async def _stirred(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pause):
                await self._stir.wait()
        self._stir.clear()
