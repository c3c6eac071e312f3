"""The simulated carriers' books in the database, so that all processes of shipping meet the same carriers."""

import math
import time
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import Row, delete, select, update

from chassis.database import Database, insert_if_absent
from shipping.carriers.simulated import Conditions, Entry
from shipping.tables import carrier_conditions, carrier_parcels

_KNOWN_FOR: Final = 1.0


class DatabaseBooks:
    """Books and conditions of all carriers. ``usual`` is how one does that was told nothing.

    What carriers were told counts within a second in all processes, and at once in the one that tells them.
    """

    def __init__(self, database: Database, usual: Conditions) -> None:
        self._database = database
        self._usual = usual
        self._known: Mapping[str, Conditions] = {}
        self._known_until = -math.inf

    async def conditions(self, carrier: str) -> Conditions:
        """How a carrier does now."""
        if time.monotonic() >= self._known_until:
            self._known = await self.all_conditions()
            self._known_until = time.monotonic() + _KNOWN_FOR
        return self._known.get(carrier, self._usual)

    async def all_conditions(self) -> Mapping[str, Conditions]:
        """How those do that were told something."""
        async with self._database.transaction() as session:
            rows = (await session.execute(select(carrier_conditions))).all()
        return {row.carrier: Conditions(row.delay, row.fail_percent, row.hang) for row in rows}

    async def set_conditions(self, carrier: str, conditions: Conditions) -> None:
        """Tell a carrier how to do from now on."""
        async with self._database.transaction() as session:
            await session.execute(delete(carrier_conditions).where(carrier_conditions.c.carrier == carrier))
            await insert_if_absent(session, carrier_conditions, carrier=carrier, **asdict(conditions))
        self._known_until = -math.inf

    async def enter(self, carrier: str, reference: str, entry: Entry) -> Entry:
        """Write a parcel down; where the reference is known already, give what stands there."""
        async with self._database.transaction() as session:
            if await insert_if_absent(session, carrier_parcels, carrier=carrier, reference=reference, **asdict(entry)):
                return entry
            there = (carrier_parcels.c.carrier == carrier, carrier_parcels.c.reference == reference)
            return _entry((await session.execute(select(carrier_parcels).where(*there))).one())

    async def withdraw(self, carrier: str, reference: str, entry: Entry) -> None:
        """Mark what stands under a reference as withdrawn; where nothing does, write ``entry`` down as such."""
        values = {**asdict(entry), "withdrawn": True}
        async with self._database.transaction() as session:
            if not await insert_if_absent(session, carrier_parcels, carrier=carrier, reference=reference, **values):
                there = (carrier_parcels.c.carrier == carrier, carrier_parcels.c.reference == reference)
                await session.execute(update(carrier_parcels).where(*there).values(withdrawn=True))

    async def find(self, carrier: str, codes: Collection[str]) -> list[Entry]:
        """What stands under tracking codes."""
        there = (carrier_parcels.c.carrier == carrier, carrier_parcels.c.code.in_(codes))
        async with self._database.transaction() as session:
            return [_entry(row) for row in await session.execute(select(carrier_parcels).where(*there))]


def _entry(row: Row[Any]) -> Entry:
    return Entry(row.code, row.collect_at, row.deliver_at, row.withdrawn)
