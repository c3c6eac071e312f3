"""Runs the bank: ``python -m bank``."""

from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr

from bank import api
from bank.behaviour import Behaviour
from bank.ledger import Ledger
from chassis import endpoints
from chassis.durations import Duration
from chassis.service import Service
from chassis.settings import Settings, load


def _plan(text: object) -> str:
    return Behaviour.parse(str(text), seed=0).text


class BankSettings(Settings):
    """Settings of the bank."""

    service: str = Field("bank", validation_alias="SEATRIAL_SERVICE")
    bank_client: str = Field("shop", description="The one client that it has.")
    bank_secret: SecretStr
    behaviour: Annotated[str, BeforeValidator(_plan)] = Field("ok", description="See bank.behaviour.")
    seed: int = 1
    slow_for: Duration = Field(2.0, description="What slow means.")
    lost_for: Duration = Field(30.0, description="So long it takes until a connection without an answer ends.")
    request_timeout: Duration = 60.0


def main() -> None:
    """Compose and run."""
    settings = load(BankSettings)
    service = Service(settings, title="Bank", description="A bank of old.")
    database = service.database(settings.database_url, migrations="bank")
    counter = api.Counter(
        Ledger(database),
        Behaviour.parse(settings.behaviour, seed=settings.seed),
        slow=settings.slow_for,
        lost=settings.lost_for,
    )
    service.offer(
        api.router(counter, client=settings.bank_client, secret=settings.bank_secret), endpoints.identity(settings)
    )
    service.run()


if __name__ == "__main__":
    main()
