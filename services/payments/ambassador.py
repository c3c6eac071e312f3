"""Runs the ambassador: ``python -m payments.ambassador``, a second process in the pod of payments.

It alone knows the bank: its address, its credentials, its format and its moods. The service asks it over loopback, in
the service's own words, and gets an answer or a problem. So it can be replaced with the bank, and be upgraded, limited
and watched on its own: in a pod its probes have a port for themselves, ``PLATFORM_PORT``.
"""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field, SecretStr

from chassis.breaker import Breaker
from chassis.durations import Duration
from chassis.problems import Problem
from chassis.service import Service
from chassis.settings import Settings, load
from payments.bank.client import AnswerView, AskView, BreakerView
from payments.bank.connection import Connection
from payments.bank.messages import NoAnswerError
from payments.domain.errors import PaymentError


class AmbassadorSettings(Settings):
    """Settings of the ambassador. Who isn't in the pod must not reach it, so it listens on loopback."""

    service: str = Field("payments-ambassador", validation_alias="AMBASSADOR_SERVICE")
    host: str = "127.0.0.1"
    port: int = Field(8081, ge=0, le=65535)
    request_timeout: Duration = 20.0
    bank_url: str = "http://bank"
    bank_client: str = Field("shop", description="Who we are to the bank.")
    bank_secret: SecretStr = Field(description="How the bank knows that it is us.")
    bank_timeout: Duration = 5.0
    bank_attempts: int = Field(3, ge=1, le=10)
    bank_connections: int = Field(16, ge=1, le=64)


def router(bank: Connection, breaker: Breaker) -> APIRouter:
    """What the service can ask."""
    routes = APIRouter(tags=["bank"])

    @routes.post("/v1/asks")
    async def ask_bank(view: AskView) -> AnswerView:
        """Ask the bank for something. Asking again with the same reference is the same wish."""
        try:
            answer = await bank.ask(view.ask())
        except PaymentError as error:
            raise Problem(422, f"{error}.", kind="not-for-the-bank") from error
        except (NoAnswerError, TimeoutError) as error:
            raise _silent(error) from error
        return AnswerView(verdict=answer.verdict, reason=answer.reason, authorisation=answer.authorisation)

    @routes.get("/v1/statement")
    async def read_statement(
        after: Annotated[str, Query(max_length=64, pattern="^[A-Za-z0-9-]*$")] = "",
    ) -> list[AskView]:
        """Read a page of what the bank has booked for us, by reference."""
        try:
            return [AskView.of(ask) for ask in await bank.statement(after=after)]
        except (NoAnswerError, TimeoutError) as error:
            raise _silent(error) from error

    @routes.get("/v1/breaker")
    async def read_breaker() -> BreakerView:
        """Tell how the breaker stands: the service shows it with its own metrics."""
        return BreakerView(state=breaker.state)

    return routes


def _silent(error: NoAnswerError | TimeoutError) -> Problem:
    return Problem(504, f"The bank gave no answer: {str(error) or 'it took too long'}.", kind="bank-silent")


def main() -> None:
    """Compose and run."""
    settings = load(AmbassadorSettings)
    service = Service(settings, title="Bank ambassador", description="The way to the bank.")
    breaker = service.breaker("bank")
    connection = Connection(
        service.upstream("bank", settings.bank_url, bulkhead=settings.bank_connections),
        breaker,
        credentials=f"{settings.bank_client}:{settings.bank_secret.get_secret_value()}",
        timeout=settings.bank_timeout,
        attempts=settings.bank_attempts,
    )
    service.offer(router(connection, breaker))
    service.run()


if __name__ == "__main__":
    main()
