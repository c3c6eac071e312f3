"""Orders and their sagas over HTTP."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, Response

from chassis import context
from chassis.ids import new_id
from chassis.problems import Problem
from orders.application.coordinator import Coordinator
from orders.application.ordering import Ordering, Trail
from orders.domain.errors import OrderError, UnknownProductsError, WrongStateError
from orders.domain.order import Status
from orders.domain.saga import ENDED, SagaStatus
from orders.entrypoints.views import (
    CancelRequest,
    Customer,
    OrderList,
    OrderRequest,
    OrderView,
    ResolveRequest,
    SagaList,
    SagaView,
    Which,
)
from orders.ports.storage import KeyReusedError

_UNENDED: Final = tuple(status for status in SagaStatus if status not in ENDED)
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9-]{1,64}$")]
Limit = Annotated[int, Query(ge=1, le=100)]
After = Annotated[UUID | None, Query(description="Where the page before ended.")]


def router(ordering: Ordering, coordinator: Coordinator, *, patience: float) -> APIRouter:  # noqa: C901 - one function a route
    """Routes of orders. ``patience`` in seconds is how long a cancellation waits for shipping."""
    routes = APIRouter(tags=["orders"])

    @routes.post("/v1/orders", status_code=201)
    async def place_order(
        request: OrderRequest,
        response: Response,
        idempotency_key: Annotated[
            str | None,
            Header(
                pattern=r"^[\x21-\x7e]{1,128}$",
                description="Sent again with the same key, the same order is answered as it was the first time.",
            ),
        ] = None,
    ) -> OrderView:
        """Place an order at the prices of now. Stock and payment are asked for at once, the rest follows."""
        try:
            order = await ordering.place(request.wish(), key=idempotency_key, trail=_trail())
        except OrderError as error:
            raise _refusal(error, request) from error
        response.headers["location"] = f"/v1/orders/{order.id}"
        return OrderView.of(order)

    @routes.get("/v1/orders/{order_id}")
    async def read_order(order_id: Id) -> OrderView:
        """Read an order by its id."""
        order = await ordering.find(order_id)
        if order is None:
            raise _unknown()
        return OrderView.of(order)

    @routes.get("/v1/orders")
    async def list_orders(customer: Annotated[Customer, Query()], limit: Limit = 20, after: After = None) -> OrderList:
        """List a customer's orders, the latest first."""
        found = await ordering.orders_of(customer, limit=limit, after=str(after) if after else None)
        return OrderList(orders=[OrderView.of(o) for o in found], next=found[-1].id if len(found) == limit else None)

    @routes.post(
        "/v1/orders/{order_id}/cancel",
        responses={202: {"model": OrderView, "description": "It isn't cancelled yet: its parcel is to be withdrawn."}},
    )
    async def cancel_order(order_id: Id, request: CancelRequest, response: Response) -> OrderView:
        """Cancel an order that no carrier has yet. Refund and release follow."""
        try:
            order = await coordinator.cancel(order_id, request.reason, patience=patience)
        except OrderError as error:
            raise _impossible(error) from error
        if order is None:
            raise _unknown()
        if order.status is not Status.CANCELLED:
            response.status_code = 202
        return OrderView.of(order)

    @routes.get("/v1/sagas", tags=["sagas"])
    async def list_sagas(
        status: Annotated[Which, Query(description="unended: all that aren't at their end.")] = "unended",
        limit: Limit = 20,
        after: After = None,
    ) -> SagaList:
        """List sagas, the latest first."""
        statuses = _UNENDED if status == "unended" else (status,)
        found = await ordering.sagas(statuses, limit=limit, after=str(after) if after else None)
        return SagaList(sagas=[SagaView.of(s) for s in found], next=found[-1].id if len(found) == limit else None)

    @routes.get("/v1/sagas/{order_id}", tags=["sagas"])
    async def read_saga(order_id: Id) -> SagaView:
        """Read the saga of an order."""
        saga = await ordering.saga(order_id)
        if saga is None:
            raise _unknown()
        return SagaView.of(saga)

    @routes.post("/v1/sagas/{order_id}/resolve", tags=["sagas"])
    async def resolve_saga(order_id: Id, request: ResolveRequest) -> SagaView:
        """Decide about a saga that doesn't come to its end by itself."""
        try:
            work = await coordinator.resolve(order_id, request.action, request.reason)
        except WrongStateError as error:
            raise _impossible(error) from error
        if work is None:
            raise _unknown()
        return SagaView.of(work.saga)

    return routes


def _trail() -> Trail:
    request = context.current()
    correlation = request.request_id if request else new_id()
    return Trail(correlation, correlation)


def _unknown() -> Problem:
    detail = "No order has this id. Use the id or the Location of the answer to POST /v1/orders."
    return Problem(404, detail, kind="unknown-order")


def _impossible(error: OrderError) -> Problem:
    return Problem(409, f"{error}.", kind="not-in-this-state", title="Not in this state")


def _refusal(error: OrderError, request: OrderRequest) -> Problem:
    if isinstance(error, KeyReusedError):
        return Problem(422, f"{error}.", kind="idempotency-key-reused", title="Idempotency key reused")
    if not isinstance(error, UnknownProductsError):
        return Problem(422, f"{error}.", kind="order-refused", title="Order refused")
    errors = [
        {
            "field": f"items[{index}].sku",
            "location": "body",
            "value": item.sku,
            "remedy": "give the SKU of a product in the catalog",
        }
        for index, item in enumerate(request.items)
        if item.sku in error.skus
    ]
    return Problem(422, f"{error}.", kind="unknown-product", title="Unknown product", errors=errors)
