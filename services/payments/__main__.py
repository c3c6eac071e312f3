"""Runs payments: ``python -m payments``. The one place that knows all parts but the ambassador's."""

from datetime import UTC, datetime, timedelta
from functools import partial

from pydantic import Field

from chassis import endpoints, events
from chassis.durations import Duration
from chassis.service import Service
from chassis.settings import Settings, load
from payments import api, audit_api
from payments.bank.client import Ambassador
from payments.bank.watch import Watch
from payments.books import Books
from payments.charging import Charging
from payments.choreography import CONSUMER, EVENT_TYPES, Choreography
from payments.screening import Screening
from payments.upkeep import Upkeep


class PaymentsSettings(Settings):
    """Settings of payments. Defaults of durations are in seconds."""

    service: str = Field("payments", validation_alias="SEATRIAL_SERVICE")
    bank_url: str = Field("http://127.0.0.1:8081", description="Base URL of the ambassador, in the same pod.")
    charge_patience: Duration = Field(3.0, description="So long a caller waits for the bank, then it is 'later'.")
    charge_grace: Duration = Field(10.0, description="An intent without an outcome after this is gone on with.")
    invoice_terms: Duration = Field(14 * 86400.0, description="Time to pay an invoice.")


def now() -> datetime:
    """The moment, for all that is written down."""
    return datetime.now(UTC)


def main() -> None:
    """Compose and run."""
    settings = load(PaymentsSettings)
    service = Service(settings, title="Payments", description="What customers owe and have paid.")
    database = service.database(settings.database_url, migrations="payments")
    bank = Ambassador(service.upstream("ambassador", settings.bank_url))
    watch = Watch(bank, partial(service.breaker_elsewhere, "bank"), service.registry)
    screening = Screening(clock=now)
    books = Books(
        service.outbox(database),
        terms=timedelta(seconds=settings.invoice_terms),
        grace=timedelta(seconds=settings.charge_grace),
        clock=now,
    )
    charging = Charging(database, books, screening, bank, patience=settings.charge_patience)
    choreography = Choreography(database, charging)
    service.consume(CONSUMER, [events.subject(kind) for kind in EVENT_TYPES], choreography.react)
    service.background("ambassador watch", watch.run, until="end")
    Upkeep(database, books, service.registry).install(service, charging)
    service.offer(
        api.charges(charging, database),
        api.books(database),
        audit_api.fraud_rules(database, screening),
        audit_api.audit(database, bank),
        endpoints.identity(settings),
    )
    service.run()


if __name__ == "__main__":
    main()
