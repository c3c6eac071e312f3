"""The contract that orders, the customer, has with shipping, its supplier: one file, and both sides are held to it.

Orders' side: its own code sends what the file asks with, and understands the answers by the fields that the file says
it reads. Shipping's side: its own code, asked so, gives these answers with these fields. No side needs the other to
run, and a change of either that breaks the other fails here first.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from chassis import problems
from chassis.breaker import Breaker
from chassis.bulkhead import Bulkhead
from chassis.database import Database
from chassis.events import Envelope
from chassis.inbox import Inbox
from chassis.lifecycle import Lifecycle
from chassis.metrics import Metrics
from chassis.migrations import migrate
from chassis.outbound import Upstream
from chassis.outbox import OUTBOX, Outbox
from chassis.settings import Settings
from chassis.share import Share
from chassis.telemetry import Telemetry
from orders.adapters import telling
from orders.adapters.asking import AskedParcels
from orders.domain.address import Address
from orders.domain.money import Money
from orders.domain.order import Event, Flow, Item, Order
from orders.domain.saga import Done, Refused, Saga, SagaStatus, Step
from orders.entrypoints import queue
from orders.ports.storage import Work
from shipping import api
from shipping.carriers.books import DatabaseBooks
from shipping.carriers.fleet import Fleet
from shipping.carriers.guarded import GuardedCarrier, Patience
from shipping.carriers.simulated import Conditions, Pace, SimulatedCarrier
from shipping.dispatch import Dispatch, Limits
from shipping.domain.tariff import TARIFFS
from shipping.office import Office
from shipping.reactions import Reactions
from shipping.rounds import Rounds
from support.awaiting import eventually
from support.shop_events import envelope

CONTRACT = json.loads((Path(__file__).parents[1] / "contracts/orders-shipping.json").read_text(encoding="utf-8"))
INTERACTIONS = {one["asks"]: one for one in CONTRACT["interactions"]}
CALLS = {one["asks"]: one for one in CONTRACT["calls"]}
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TAKEN = {"ShipmentBooked": Done(Step.SHIP), "ShipmentFailed": Refused(Step.SHIP, "some text")}


@pytest.fixture(params=INTERACTIONS)
def interaction(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(INTERACTIONS[request.param])


@pytest.fixture(params=CALLS)
def call(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(CALLS[request.param])


def an_interaction() -> dict[str, Any]:
    return dict(next(iter(INTERACTIONS.values())))


def an_order(asked: dict[str, Any]) -> Work:
    """An order of the things that the contract asks with."""
    items = [Item(item["sku"], item["quantity"]) for item in asked["items"]]
    order = Order.place(
        id=asked["orderId"],
        customer="ada",
        items=items,
        prices={item.sku: Money(100, "EUR") for item in items},
        address=Address(**asked["address"]),
        flow=Flow.ORCHESTRATED,
        now=NOON,
    )
    trail = {"correlation": "c-1", "causation": "c-1"}
    return Work(order, Saga(order.id, Flow.ORCHESTRATED, SagaStatus.RUNNING, NOON, NOON, trail=trail))


def test_orders_asks_as_the_contract_says(interaction: dict[str, Any]) -> None:
    told = telling.envelope(Event.SHIPMENT_REQUESTED, an_order(interaction["payload"]))
    assert (told.event_type, told.payload) == (interaction["message"], interaction["payload"])


def test_orders_understands_the_answers_by_what_it_reads_of_them(interaction: dict[str, Any]) -> None:
    for answer in interaction["answers"]:
        if answer["message"] in TAKEN:
            assert queue._FACTS[answer["message"]](answer["reads"]) == TAKEN[answer["message"]]
        else:
            assert set(answer["reads"]) == {"orderId"}, "of a parcel's way orders reads whose it is"


async def test_orders_calls_as_the_contract_says_and_understands_the_answer(call: dict[str, Any]) -> None:
    made: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        made.append(request)
        return httpx.Response(call["response"]["status"])

    settings = Settings(SEATRIAL_SERVICE="orders")
    metrics = Metrics(settings, Lifecycle(settle=0, drain=0, clock=time.monotonic))
    shipping = Upstream("shipping", "http://shipping", timeout=1, metrics=metrics, telemetry=Telemetry(settings))
    shipping._way = httpx.MockTransport(answer)
    withdrawn = await AskedParcels(shipping, timeout=1).withdraw(an_order(an_interaction()["payload"]).order)
    await shipping.close()
    assert [(one.method, one.url.path) for one in made] == [(call["request"]["method"], call["request"]["path"])]
    assert withdrawn == (call["response"]["status"] == 204)


class Shipping:
    """Shipping's own parts in this process, on SQLite, with time that flies."""

    def __init__(self, database: Database, conditions: Conditions) -> None:
        self._database = database
        self.now = lambda: datetime.now(UTC)
        books = DatabaseBooks(database, conditions)
        fleet = Fleet(
            GuardedCarrier(
                SimulatedCarrier(tariff, books, pace=Pace(collection=0.01, day=0.01), now=self.now),
                bulkhead=Bulkhead(tariff.carrier, 4),
                breaker=Breaker(tariff.carrier),
                patience=Patience(attempts=1),
            )
            for tariff in TARIFFS
        )
        office = Office(outbox=Outbox(), carriers=fleet.names, now=self.now)
        limits = Limits(at_once=4, patience=timedelta(seconds=0))
        self.api = FastAPI()
        self.api.include_router(api.shipments(database, fleet, office))
        problems.install(self.api)
        self._dispatch = Dispatch(
            database=database, office=office, fleet=fleet, share=Share(Path("/nonexistent")), limits=limits
        )
        self._reactions = Reactions(database=database, inbox=Inbox(), office=office, stir=self._dispatch.stir)
        self._rounds = Rounds(database=database, office=office, fleet=fleet)

    async def told(self) -> list[Envelope]:
        async with self._database.transaction() as session:
            rows = await session.scalars(select(OUTBOX.c.message).order_by(OUTBOX.c.position))
            return [Envelope.from_bytes(row.encode()) for row in rows]

    async def answers(self, asked: Envelope, count: int) -> list[Envelope]:
        """What it answers, when so many answers are due."""
        stopping = asyncio.Event()
        running = asyncio.create_task(self._dispatch.run(stopping))
        await self._reactions.react(asked)

        async def all_told() -> bool:
            await self._rounds.make()
            return len(await self.told()) >= count

        await eventually(all_told, within=10)
        stopping.set()
        await running
        return await self.told()


@pytest.fixture
async def database() -> AsyncIterator[Database]:
    opened = Database()
    await migrate(opened, "shipping", patience=0)
    yield opened
    await opened.close()


async def test_shipping_answers_as_the_contract_says(interaction: dict[str, Any], database: Database) -> None:
    given = {"carriers that are well": Conditions(delay=0), "no carrier that answers": Conditions(fail_percent=100)}
    supplier = Shipping(database, given[interaction["given"]])
    asked = envelope(interaction["message"], interaction["payload"])
    answers = await supplier.answers(asked, len(interaction["answers"]))
    for answer, promised in zip(answers, interaction["answers"], strict=True):
        assert answer.event_type == promised["message"]
        for name, value in promised["reads"].items():
            assert type(answer.payload[name]) is type(value)
            assert answer.payload["orderId"] == interaction["payload"]["orderId"]


async def test_shipping_answers_calls_as_the_contract_says(call: dict[str, Any], database: Database) -> None:
    supplier, interaction = Shipping(database, Conditions(delay=0)), an_interaction()
    if call["given"] == "a parcel that a carrier has":
        asked = envelope(interaction["message"], interaction["payload"])
        await supplier.answers(asked, len(interaction["answers"]))
    transport = httpx.ASGITransport(supplier.api)
    async with httpx.AsyncClient(transport=transport, base_url="http://shipping") as client:
        answer = await client.request(call["request"]["method"], call["request"]["path"])
    assert answer.status_code == call["response"]["status"]
