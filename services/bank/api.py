"""The bank over HTTP: its gateway and its statement in its own format, and how it is told to behave."""

import asyncio
import secrets
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query, Request
from fastapi.responses import PlainTextResponse, Response
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from bank.behaviour import Behaviour, Manner
from bank.ledger import Ledger
from bank.records import ENCODING, parse, render
from chassis.problems import Problem

_STATEMENT_PAGE = 500


class Plan(BaseModel):
    """How the bank shall behave."""

    model_config = ConfigDict(extra="forbid")

    behaviour: str = Field(max_length=200, examples=["ok=80 slow=10 lost=5 twice=5"])
    seed: int = 1


class Counter:
    """The bank's counter: behaviour and times. ``slow`` and ``lost`` are seconds until an answer, or none."""

    def __init__(self, ledger: Ledger, behaviour: Behaviour, *, slow: float, lost: float) -> None:
        self.ledger = ledger
        self.behaviour = behaviour
        self.slow = slow
        self.lost = lost

    async def serve(self, text: str) -> Response:
        """Treat a request as the plan says. Raises ``ValueError`` for one that isn't in the format."""
        asked = parse(text)
        manner = self.behaviour.next(asked["REF"])
        if manner is Manner.FAIL:
            raise Problem(503, "The bank is out of order.", kind="bank-out-of-order")
        line = render(await self.ledger.book(asked))
        await asyncio.sleep({Manner.SLOW: self.slow, Manner.LOST: self.lost}.get(manner, 0))
        if manner is Manner.LOST:
            raise Problem(504, "The bank has forgotten to answer.", kind="bank-silent")
        answers = {Manner.TWICE: line + line, Manner.GARBLED: line[: len(line) // 2]}
        return PlainTextResponse(
            answers.get(manner, line).encode(ENCODING), media_type=f"text/plain; charset={ENCODING}"
        )


def router(counter: Counter, *, client: str, secret: SecretStr) -> APIRouter:
    """Routes of the bank. Its clients are known by name and secret."""
    routes = APIRouter()

    def known(given: Annotated[HTTPBasicCredentials, Depends(HTTPBasic())]) -> None:
        expected = f"{client}:{secret.get_secret_value()}"
        if not secrets.compare_digest(f"{given.username}:{given.password}".encode(), expected.encode()):
            raise Problem(401, "The bank doesn't know you.", kind="unknown-client")

    @routes.post("/gateway", dependencies=[Depends(known)], response_class=PlainTextResponse, tags=["gateway"])
    async def serve_gateway(
        request: Request, _: Annotated[str, Body(media_type="text/plain", max_length=1000)]
    ) -> Response:
        """Charge, refund or tell, by a record in the bank's format."""
        try:
            return await counter.serve((await request.body()).decode(ENCODING))
        except ValueError as error:
            raise Problem(400, f"{error}.", kind="bad-record") from error

    @routes.get("/statement", dependencies=[Depends(known)], response_class=PlainTextResponse, tags=["gateway"])
    async def read_statement(after: Annotated[str, Query(max_length=64)] = "") -> str:
        """Tell what is booked, by reference, a page at a time."""
        booked = await counter.ledger.statement(after=after, limit=_STATEMENT_PAGE)
        return "".join(map(render, booked))

    @routes.get("/behaviour", tags=["behaviour"])
    async def read_behaviour() -> Plan:
        """Tell how the bank behaves."""
        return Plan(behaviour=counter.behaviour.text, seed=counter.behaviour.seed)

    @routes.put("/behaviour", tags=["behaviour"])
    async def change_behaviour(plan: Plan) -> Plan:
        """Make the bank behave otherwise from now on."""
        try:
            counter.behaviour = Behaviour.parse(plan.behaviour, seed=plan.seed)
        except ValueError as error:
            raise Problem(422, f"{error}.", kind="bad-plan") from error
        return plan

    return routes
