"""Routes for what comes after an order was placed: taking it back, where it is, and what its customer was told."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from chassis.outbound import Upstream
from gateway.relay import relay, segment

_REASON: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}, "example": {"reason": "found a shorter rope"}}},
    }
}


def router(*, orders: Upstream, shipping: Upstream, notifications: Upstream) -> APIRouter:
    """Routes of the gateway."""
    routes = APIRouter()

    @routes.post("/api/v1/orders/{order_id}/cancel", tags=["orders"], openapi_extra=_REASON)
    async def cancel_order(request: Request, order_id: str) -> Response:
        """Cancel an order that hasn't left the house; what was paid comes back. Asking twice is the same as once."""
        return await relay(request, orders, f"/v1/orders/{segment(order_id)}/cancel")

    @routes.get("/api/v1/orders/{order_id}/shipment", tags=["shipping"])
    async def read_shipment(request: Request, order_id: str) -> Response:
        """Read how an order comes to its customer."""
        return await relay(request, shipping, f"/v1/shipments/{segment(order_id)}")

    @routes.get("/api/v1/tracking/{code}", tags=["shipping"])
    async def track(request: Request, code: str) -> Response:
        """Tell where a parcel is."""
        return await relay(request, shipping, f"/v1/tracking/{segment(code)}")

    @routes.get("/api/v1/notifications", tags=["notifications"])
    async def list_notifications(request: Request) -> Response:
        """List what the customer in the query ``customer`` was told."""
        return await relay(request, notifications, "/v1/notifications")

    return routes
