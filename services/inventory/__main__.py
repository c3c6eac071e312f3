"""Runs inventory: ``python -m inventory``. The one place that knows all parts."""

from datetime import UTC, datetime, timedelta
from functools import partial

from pydantic import Field

from chassis import endpoints, events
from chassis.durations import Duration
from chassis.idempotency import IdempotencyKeys
from chassis.inbox import Inbox
from chassis.service import Service
from chassis.settings import Settings, load
from inventory import api, jobs
from inventory.levels import Levels
from inventory.reactions import CONSUMER, Reactions
from inventory.stockroom import Stockroom
from inventory.supply import Supply


class InventorySettings(Settings):
    """Settings of inventory. Defaults of durations are in seconds."""

    service: str = Field("inventory", validation_alias="SEATRIAL_SERVICE")
    reservation_ttl: Duration = Field(600.0, description="How long goods are held until they are paid.")
    supplier_lead_time: Duration = Field(30.0, description="From a purchase to its arrival.")


def now() -> datetime:
    """The moment, for all that is written down."""
    return datetime.now(UTC)


def main() -> None:
    """Compose and run."""
    settings = load(InventorySettings)
    service = Service(settings, title="Inventory", description="What is in the warehouses.")
    database = service.database(settings.database_url, migrations="inventory")
    outbox = service.outbox(database)
    levels = Levels(outbox)
    stockroom = Stockroom(outbox=outbox, levels=levels, hold=timedelta(seconds=settings.reservation_ttl), now=now)
    supply = Supply(levels=levels, lead_time=timedelta(seconds=settings.supplier_lead_time), now=now)
    reactions = Reactions(database=database, inbox=Inbox(), stockroom=stockroom)

    service.consume(CONSUMER, [events.subject(name) for name in reactions.event_types], reactions.react)
    service.every("expire", 2.0, partial(jobs.expire, database, stockroom))
    service.every("replenish", 5.0, partial(jobs.replenish, database, supply))
    service.every("forget", 3600.0, partial(jobs.forget, database))
    service.offer(
        api.reservations(database, stockroom),
        api.shelves(database, supply, IdempotencyKeys()),
        endpoints.identity(settings),
    )
    service.run()


if __name__ == "__main__":
    main()
