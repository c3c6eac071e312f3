"""Shipping over HTTP: to look at, and to take back. What is to be shipped comes by events."""

from typing import Annotated

from fastapi import APIRouter, Path

from chassis.database import Database
from chassis.invariants import InvariantsView
from chassis.problems import Problem
from shipping import invariants, store
from shipping.carriers.books import DatabaseBooks
from shipping.carriers.fleet import Fleet
from shipping.domain.shipment import TooLateError
from shipping.office import Office
from shipping.views import (
    CarrierName,
    ConditionsRequest,
    ConditionsView,
    OrderId,
    QuoteRequest,
    QuotesView,
    QuoteView,
    ShipmentView,
    TrackingCode,
    TrackingView,
)


def shipments(database: Database, fleet: Fleet, office: Office) -> APIRouter:
    """Routes of shipments."""
    routes = APIRouter(tags=["shipments"])

    @routes.get("/v1/shipments/{order_id}")
    async def read_shipment(order_id: Annotated[OrderId, Path()]) -> ShipmentView:
        """Read the shipment of an order."""
        async with database.transaction() as session:
            found = await store.read_shipment(session, order_id=order_id)
        if found is None:
            raise Problem(404, f"Nobody has asked for a shipment of the order {order_id}.", kind="unknown-shipment")
        return ShipmentView.of(found)

    @routes.delete("/v1/shipments/{order_id}", status_code=204)
    async def withdraw(order_id: Annotated[OrderId, Path()]) -> None:
        """Take a shipment back, for good, before its order is cancelled and refunded.

        A request that comes later is refused. 409 once the carrier has the parcel: then it is too late to cancel.
        """
        try:
            async with database.transaction() as session:
                await office.learn(session, order_id, lambda shipment: shipment.withdrawn("the order is cancelled"))
        except TooLateError as error:
            raise Problem(409, f"{error}.", kind="too-late", title="Too late") from error

    @routes.get("/v1/tracking/{code}")
    async def track(code: Annotated[TrackingCode, Path()]) -> TrackingView:
        """Read where a parcel is."""
        async with database.transaction() as session:
            found = await store.read_shipment(session, tracking_code=code)
            steps = await store.read_steps(session, found.order_id) if found else []
        if found is None:
            raise Problem(404, f"No parcel has the tracking code {code}.", kind="unknown-tracking-code")
        return TrackingView.of(found, steps)

    @routes.post("/v1/quotes")
    async def ask_for_quotes(request: QuoteRequest) -> QuotesView:
        """Ask all carriers at once what they would take; one that doesn't say in a second is named as missing."""
        offers, missing = await fleet.offers(request.parcel())
        return QuotesView(quotes=[QuoteView.of(offer) for offer in offers], missing=missing)

    @routes.get("/v1/invariants", tags=["invariants"])
    async def check_invariants() -> InvariantsView:
        """Look whether shipments and the carriers' books agree. Reads all of both: not for every minute."""
        async with database.transaction() as session:
            return await InvariantsView.look(session, invariants.LAWS)

    return routes


def simulation(books: DatabaseBooks, fleet: Fleet) -> APIRouter:
    """The handles of the simulated carriers."""
    routes = APIRouter(tags=["simulation"])

    @routes.get("/v1/carriers")
    async def list_carriers() -> list[ConditionsView]:
        """List how all carriers do."""
        return [ConditionsView.of(name, await books.conditions(name)) for name in fleet.names]

    @routes.put("/v1/carriers/{name}/conditions")
    async def set_conditions(name: Annotated[CarrierName, Path()], request: ConditionsRequest) -> ConditionsView:
        """Make a carrier slow, failing, hanging or well again, for all processes of shipping and at once."""
        if name not in fleet.names:
            raise Problem(404, f"There is no carrier {name}; GET /v1/carriers lists all.", kind="unknown-carrier")
        await books.set_conditions(name, request.conditions())
        return ConditionsView.of(name, request.conditions())

    return routes
