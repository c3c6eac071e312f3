"""What a process of payments does by itself, and seldom: an idle shop shall cost next to nothing."""

from datetime import timedelta
from typing import Final

from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy import delete

from chassis.database import Database
from chassis.idempotency import IdempotencyKeys
from chassis.inbox import Inbox
from chassis.service import Service
from payments import projection
from payments.books import Books
from payments.charging import Charging
from payments.store import accounts, work
from payments.store.tables import known_orders

_KEPT: Final = timedelta(days=14)
"""Longer than anybody repeats a request. Charges are kept for ever."""


class Upkeep:
    """The jobs of one process. Each is safe beside itself in another one."""

    def __init__(self, database: Database, books: Books, registry: CollectorRegistry) -> None:
        self._database = database
        self._books = books
        self._open = Gauge("payments_open_charges", "What the bank has yet to answer.", registry=registry)
        self._oldest = Gauge("payments_open_charges_oldest_seconds", "Age of the oldest of it.", registry=registry)

    def install(self, service: Service, charging: Charging) -> None:
        """Have it all done as long as the service runs."""
        service.every("settle", 3.0, charging.settle)
        service.every("project", 5.0, self.project)
        service.every("remind", 15.0, self.remind)
        service.every("snapshots", 60.0, self.take_snapshots)
        service.every("forget", 3600.0, self.forget)

    async def project(self) -> None:
        """Bring the projection up to date."""
        taken = projection.AT_ONCE
        while taken == projection.AT_ONCE:
            async with self._database.transaction() as session:
                taken = await projection.catch_up(session)

    async def remind(self) -> None:
        """Tell of invoices that are overdue, and show how much the bank is behind."""
        async with self._database.transaction() as session:
            await self._books.remind(session)
            count, oldest = await work.waiting(session)
        self._open.set(count)
        self._oldest.set(0 if oldest is None else (self._books.now() - oldest).total_seconds())

    async def take_snapshots(self) -> None:
        """Save readers the beginnings of long streams."""
        async with self._database.transaction() as session:
            await accounts.take_snapshots(session)

    async def forget(self) -> None:
        """Forget what nobody will ask about any more."""
        now = self._books.now()
        before = now - _KEPT
        async with self._database.transaction() as session:
            await Inbox().forget(session, now)
            await IdempotencyKeys().forget(session, before)
            await session.execute(delete(known_orders).where(known_orders.c.seen_at < before))
