"""Inventory over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Query

from chassis.database import Database
from chassis.idempotency import Answer, IdempotencyKeys
from chassis.invariants import InvariantsView
from chassis.problems import Problem
from inventory import invariants, orders_language, store
from inventory.domain.errors import InventoryError, MoveRefusedError, ShortError, UnknownItemError
from inventory.orders_language import Claim
from inventory.stockroom import OtherDemandError, Stockroom, UnknownReservationError, done
from inventory.supply import Supply, UnknownPlaceError
from inventory.views import (
    ItemView,
    OrderId,
    PolicyRequest,
    ReceiptRequest,
    ReservationRequest,
    ReservationView,
    Sku,
    StockList,
    StockView,
    Warehouse,
)

_MOST_OFFSET: Final = 1_000_000
Key = Annotated[str | None, Header(alias="idempotency-key", pattern=r"^[\x21-\x7e]{1,128}$")]


def reservations(database: Database, stockroom: Stockroom) -> APIRouter:
    """Routes of reservations. All of them may be repeated: the order's id is their idempotency key."""
    routes = APIRouter(tags=["reservations"])

    @routes.post("/v1/reservations", status_code=201)
    async def reserve(request: ReservationRequest) -> ReservationView:
        """Hold everything that an order wants, or nothing: 409 says what is short."""
        demand = orders_language.demand(item.model_dump() for item in request.items)
        claim = Claim(request.order_id, "orchestrated", demand)
        with _refusals():
            return ReservationView.of(await done(database, lambda session: stockroom.reserve(session, claim)))

    @routes.get("/v1/reservations/{order_id}")
    async def read_reservation(order_id: Annotated[OrderId, Path()]) -> ReservationView:
        """Read what is held for an order."""
        async with database.transaction() as session:
            found = await store.read_reservation(session, order_id)
        if found is None:
            raise Problem(404, f"Nothing was reserved for the order {order_id}.", kind="unknown-reservation")
        return ReservationView.of(found)

    @routes.post("/v1/reservations/{order_id}/commit")
    async def commit(order_id: Annotated[OrderId, Path()]) -> ReservationView:
        """The order is paid: hold its goods for good. After expiry they are taken anew; 409 tells what is short."""
        with _refusals():
            return ReservationView.of(await done(database, lambda session: stockroom.commit(session, order_id)))

    @routes.delete("/v1/reservations/{order_id}", status_code=204)
    async def release(order_id: Annotated[OrderId, Path()]) -> None:
        """Give the goods of an order back, for good. A reservation that comes after this is refused."""
        with _refusals():
            async with database.transaction() as session:
                await stockroom.release(session, order_id, reason="requested", flow="orchestrated")

    return routes


def shelves(database: Database, supply: Supply, keys: IdempotencyKeys) -> APIRouter:
    """Routes of what is in the warehouses."""
    routes = APIRouter(tags=["stock"])

    @routes.get("/v1/stock/{sku}")
    async def read_stock(sku: Annotated[Sku, Path()]) -> StockView:
        """Read how much there is of one thing, and where."""
        async with database.transaction() as session:
            items = await store.read_items(session, sku=sku, limit=100)
        if not items:
            raise Problem(404, f"No warehouse has ever had {sku}. GET /v1/stock lists all.", kind="unknown-item")
        return StockView.of(items)

    @routes.get("/v1/stock")
    async def list_stock(
        low: Annotated[bool | None, Query(description="Only what is scarce, or only what isn't.")] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        offset: Annotated[int, Query(ge=0, le=_MOST_OFFSET)] = 0,
    ) -> StockList:
        """List what there is, by SKU."""
        async with database.transaction() as session:
            items = await store.read_items(session, low=low, limit=limit, offset=offset)
        return StockList(items=[ItemView.of(item) for item in items])

    @routes.post("/v1/warehouses/{warehouse}/receipts", status_code=201)
    async def receive(
        warehouse: Annotated[Warehouse, Path()], request: ReceiptRequest, idempotency_key: Key = None
    ) -> ItemView:
        """Put goods on the shelf. With an Idempotency-Key it is safe to send it again."""
        scope = f"POST /v1/warehouses/{warehouse}/receipts"
        with _refusals():
            async with database.transaction() as session:
                if idempotency_key is not None:
                    asked = request.model_dump()
                    earlier = await keys.claim(session, idempotency_key, scope=scope, request=asked)
                    if earlier is not None:
                        return ItemView.model_validate(earlier.body)
                view = ItemView.of(await supply.receive(session, request.sku, warehouse, request.units))
                if idempotency_key is not None:
                    answer = Answer(201, view.model_dump(mode="json", by_alias=True))
                    await keys.keep(session, idempotency_key, scope=scope, answer=answer)
                return view

    @routes.put("/v1/warehouses/{warehouse}/stock/{sku}/policy")
    async def set_policy(
        warehouse: Annotated[Warehouse, Path()], sku: Annotated[Sku, Path()], request: PolicyRequest
    ) -> ItemView:
        """Say when a thing is scarce in a warehouse, and up to which level it is bought then."""
        with _refusals():
            async with database.transaction() as session:
                return ItemView.of(await supply.set_policy(session, sku, warehouse, **request.model_dump()))

    @routes.get("/v1/invariants", tags=["invariants"])
    async def check_invariants() -> InvariantsView:
        """Look whether everything that came in is accounted for. Reads all reservations: not for every minute."""
        async with database.transaction() as session:
            return await InvariantsView.look(session, invariants.LAWS)

    return routes


@contextmanager
def _refusals() -> Iterator[None]:
    """What the domain refuses, as problems."""
    try:
        yield
    except InventoryError as error:
        raise _problem(error) from error


def _problem(error: InventoryError) -> Problem:
    members: dict[str, Any] = {}
    match error:
        case ShortError():
            status, kind, members = 409, "out-of-stock", {"short": [asdict(one) for one in error.shortfalls]}
        case OtherDemandError():
            status, kind = 422, "other-items"
        case MoveRefusedError():
            status, kind = 409, "reservation-ended"
        case UnknownReservationError() | UnknownItemError() | UnknownPlaceError():
            status, kind = 404, "unknown"
        case _:
            status, kind = 422, "refused"
    return Problem(status, f"{error}.", kind=kind, title=kind.replace("-", " ").capitalize(), **members)
