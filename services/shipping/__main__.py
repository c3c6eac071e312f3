"""Runs shipping: ``python -m shipping``. The one place that knows all parts."""

from datetime import UTC, datetime, timedelta

from pydantic import Field

from chassis import endpoints, events
from chassis.durations import Duration
from chassis.inbox import Inbox
from chassis.service import Service
from chassis.settings import Settings, load
from shipping import api
from shipping.carriers.books import DatabaseBooks
from shipping.carriers.fleet import Fleet
from shipping.carriers.guarded import GuardedCarrier, Patience
from shipping.carriers.simulated import Conditions, Pace, SimulatedCarrier
from shipping.dispatch import Dispatch, Limits
from shipping.domain.tariff import TARIFFS
from shipping.office import Office
from shipping.reactions import CONSUMER, EVENT_TYPES, Reactions
from shipping.rounds import Rounds


class ShippingSettings(Settings):
    """Settings of shipping. Defaults of durations are in seconds."""

    service: str = Field("shipping", validation_alias="SEATRIAL_SERVICE")
    carrier_timeout: Duration = Field(10.0, description="How long a carrier is waited for.")
    carrier_places: int = Field(16, ge=1, description="Calls to one carrier at a time, in each process.")
    booking_patience: Duration = Field(25.0, description="How long a carrier is looked for.")
    carrier_delay: Duration = Field(0.02, description="How long a simulated carrier takes that was told nothing else.")
    collection_after: Duration = Field(10.0, description="From a booking to its collection.")
    delivery_day: Duration = Field(5.0, description="How long a day takes for simulated carriers.")


def now() -> datetime:
    """The moment, for all that is written down."""
    return datetime.now(UTC)


def main() -> None:
    """Compose and run."""
    settings = load(ShippingSettings)
    service = Service(settings, title="Shipping", description="How orders get to their buyers.")
    database = service.database(settings.database_url, migrations="shipping")
    books = DatabaseBooks(database, Conditions(delay=settings.carrier_delay))
    pace = Pace(settings.collection_after, settings.delivery_day)
    fleet = Fleet(
        GuardedCarrier(
            SimulatedCarrier(tariff, books, pace=pace, now=now),
            bulkhead=service.bulkhead(f"carrier {tariff.carrier}", settings.carrier_places),
            breaker=service.breaker(f"carrier {tariff.carrier}"),
            patience=Patience(booking=settings.carrier_timeout),
        )
        for tariff in TARIFFS
    )
    office = Office(outbox=service.outbox(database), carriers=fleet.names, now=now)
    limits = Limits(settings.carrier_places * len(TARIFFS), timedelta(seconds=settings.booking_patience))
    dispatch = Dispatch(database=database, office=office, fleet=fleet, share=service.share, limits=limits)
    reactions = Reactions(database=database, inbox=Inbox(), office=office, stir=dispatch.stir)
    rounds = Rounds(database=database, office=office, fleet=fleet)

    service.consume(CONSUMER, [events.subject(name) for name in EVENT_TYPES], reactions.react)
    service.background("dispatch", dispatch.run)
    service.every("rounds", 2.0, rounds.make)
    service.every("forget", 3600.0, rounds.forget)
    service.offer(api.shipments(database, fleet, office), api.simulation(books, fleet), endpoints.identity(settings))
    service.run()


if __name__ == "__main__":
    main()
