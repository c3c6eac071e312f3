"""Routes of the shop as its users see them, and which service is behind each."""

from typing import Annotated, Any, Final
from uuid import uuid4

from fastapi import APIRouter, Header, Query, Request, Response

from chassis.outbound import Upstream
from gateway.home import Home, gather
from gateway.relay import relay, segment

_JSON_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "example": {"customer": "ada", "items": [{"sku": "rope-01", "quantity": 2}]},
            }
        },
    }
}
_ORDERS: Final = {"/v1/orders": "/api/v1/orders"}


def router(*, orders: Upstream, catalog: Upstream) -> APIRouter:
    """Routes of the gateway."""
    routes = APIRouter()

    @routes.get("/api/v1/catalog", tags=["catalog"])
    async def list_products(request: Request) -> Response:
        """List products; takes the queries of the catalog: sku, q, limit, offset."""
        return await relay(request, catalog, "/v1/products")

    @routes.get("/api/v1/catalog/{sku}", tags=["catalog"])
    async def read_product(request: Request, sku: str) -> Response:
        """Read one product."""
        return await relay(request, catalog, f"/v1/products/{segment(sku)}")

    @routes.post("/api/v1/orders", tags=["orders"], status_code=201, openapi_extra=_JSON_BODY)
    async def place_order(
        request: Request, idempotency_key: Annotated[str | None, Header(max_length=128)] = None
    ) -> Response:
        """Place an order. With an Idempotency-Key it is safe to send it again."""
        # Behind us the mesh may repeat the call, so it always has a key.
        headers = {"idempotency-key": idempotency_key or str(uuid4())}
        return await relay(request, orders, "/v1/orders", moved=_ORDERS, headers=headers)

    @routes.get("/api/v1/orders", tags=["orders"])
    async def list_recent_orders(request: Request) -> Response:
        """List recent orders of the customer in the query ``customer``."""
        return await relay(request, orders, "/v1/orders")

    @routes.get("/api/v1/orders/{order_id}", tags=["orders"])
    async def read_order(request: Request, order_id: str) -> Response:
        """Read an order by its id."""
        return await relay(request, orders, f"/v1/orders/{segment(order_id)}")

    @routes.get("/api/v1/home", tags=["home"])
    async def read_home(customer: Annotated[str, Query(min_length=1, max_length=64)]) -> Home:
        """Read products and a customer's recent orders at once. When one of the two fails the other still comes."""
        return await gather(
            {
                "catalog": catalog.get_json("/v1/products", query=[("limit", 10)]),
                "orders": orders.get_json("/v1/orders", query=[("customer", customer), ("limit", 10)]),
            }
        )

    @routes.get("/api/v1/identity", tags=["identity"])
    async def read_identity(request: Request) -> Response:
        """Tell which identity orders saw when this gateway called it."""
        return await relay(request, orders, "/v1/identity")

    return routes
