"""Dead letters over HTTP: which there are, and having them handled once more."""

import base64
from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query
from nats.errors import Error as NatsError
from pydantic import BaseModel, Field

from chassis.broker import Broker, BrokerUnavailableError
from chassis.dead_letters import DeadLetter, DeadLetters
from chassis.problems import Problem

Consumer = Annotated[
    str, Field(pattern=r"^[a-z0-9-]{1,64}\.[A-Za-z0-9_-]{1,64}$", examples=["notifications.customers"])
]


class DeadLetterView(BaseModel):
    """A message that its consumer couldn't handle."""

    id: str
    consumer: Consumer
    subject: str = Field(description="Where it came from.")
    eventId: str | None = Field(description="Null where the message is no event.")  # noqa: N815 - JSON name
    cause: str
    attempts: int
    failedAt: datetime  # noqa: N815 - JSON name
    data: str = Field(description="The message as it came, in base64.")

    @classmethod
    def of(cls, letter: DeadLetter) -> Self:
        """The view of a dead letter."""
        return cls(
            id=letter.id,
            consumer=letter.consumer,
            subject=letter.subject,
            eventId=letter.event_id,
            cause=letter.cause,
            attempts=letter.attempts,
            failedAt=letter.failed_at,
            data=base64.b64encode(letter.data).decode(),
        )


class DeadLetterList(BaseModel):
    """The oldest of them."""

    deadLetters: list[DeadLetterView]  # noqa: N815 - JSON name


class Redrive(BaseModel):
    """Which to handle once more: these ids, of this consumer; all where nothing is said."""

    ids: list[str] | None = Field(None, max_length=1000)
    consumer: Consumer | None = None


class Redriven(BaseModel):
    """What came of it."""

    redriven: int


def router(broker: Broker) -> APIRouter:
    """``GET /v1/dead-letters`` and ``POST /v1/dead-letters/redrive``."""
    routes = APIRouter(tags=["dead letters"])
    letters = DeadLetters(broker)

    @routes.get("/v1/dead-letters")
    async def list_dead_letters(
        consumer: Annotated[Consumer | None, Query()] = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> DeadLetterList:
        """The oldest dead letters, of one consumer or of all."""
        try:
            found = await letters.list(consumer, limit=limit)
        except (BrokerUnavailableError, NatsError) as error:
            raise _unavailable(error) from error
        return DeadLetterList(deadLetters=[DeadLetterView.of(letter) for letter in found])

    @routes.post("/v1/dead-letters/redrive")
    async def redrive_dead_letters(which: Redrive) -> Redriven:
        """Have dead letters handled once more, by the consumer that failed and nobody else."""
        try:
            return Redriven(redriven=await letters.redrive(which.ids, consumer=which.consumer))
        except (BrokerUnavailableError, NatsError) as error:
            raise _unavailable(error) from error

    return routes


def _unavailable(error: Exception) -> Problem:
    return Problem(
        503,
        f"The broker, which keeps the dead letters, doesn't answer: {error}. Try again in a moment.",
        kind="broker-unavailable",
        headers={"retry-after": "1"},
    )
