"""The bank as the service sees it: the ambassador in the same pod, asked in our own words, once.

How often the bank itself is asked, how long, with which credentials and whether at all is the ambassador's to know.
"""

from typing import Final

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from chassis.breaker import State
from chassis.outbound import Upstream
from chassis.problems import Problem
from payments.bank.messages import Answer, Ask, NoAnswerError, Verdict, Wish
from payments.domain.money import Money


class AskView(BaseModel):
    """What the bank is asked, between service and ambassador."""

    wish: Wish
    reference: str
    customer: str
    amount: int = Field(description="In minor units.")
    currency: str

    @classmethod
    def of(cls, ask: Ask) -> "AskView":
        """The view of what is asked."""
        return cls(
            wish=ask.wish,
            reference=ask.reference,
            customer=ask.customer,
            amount=ask.money.amount,
            currency=ask.money.currency,
        )

    def ask(self) -> Ask:
        """What is asked. Raises ``PaymentError``."""
        return Ask(self.wish, self.reference, self.customer, Money(self.amount, self.currency))


class AnswerView(BaseModel):
    """What the bank answers, between ambassador and service."""

    verdict: Verdict
    reason: str = ""
    authorisation: str = ""


class BreakerView(BaseModel):
    """How the breaker on the way to the bank stands."""

    state: State


_STATEMENT: Final = TypeAdapter(list[AskView])


class Ambassador:
    """Asks the bank through the ambassador."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def ask(self, ask: Ask) -> Answer:
        """What the bank says. Raises ``NoAnswerError``."""
        body = AskView.of(ask).model_dump_json().encode()
        try:
            response = await self._upstream.request(
                "POST", "/v1/asks", content=body, headers={"content-type": "application/json"}
            )
        except Problem as error:
            raise NoAnswerError(error.detail) from error
        if not response.is_success:
            raise NoAnswerError(f"the ambassador answered {response.status_code}: {response.text[:300]}")
        view = AnswerView.model_validate_json(response.content)
        return Answer(view.verdict, view.reason, view.authorisation)

    async def breaker(self) -> State:
        """How the breaker on the way to the bank stands. Raises ``NoAnswerError``."""
        try:
            told = await self._upstream.get_json("/v1/breaker")
            return BreakerView.model_validate(told).state
        except Problem as error:
            raise NoAnswerError(error.detail) from error
        except ValidationError as error:
            raise NoAnswerError("the ambassador told nothing that is known of a breaker") from error

    async def statement(self, *, after: str) -> list[Ask]:
        """What the bank has booked, by reference, behind one. Raises ``NoAnswerError``."""
        try:
            booked = await self._upstream.get_json("/v1/statement", query=[("after", after)])
        except Problem as error:
            raise NoAnswerError(error.detail) from error
        return [view.ask() for view in _STATEMENT.validate_python(booked)]
