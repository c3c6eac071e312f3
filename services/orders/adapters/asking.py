"""Inventory, payments and shipping over HTTP: what their answers mean for a saga.

Each call has an idempotency key made of the order and the step, so it can be sent again by whoever takes the saga up.
Its time is its own: the customer may have gone, and the step goes on.
"""

import json
from typing import Any, Final

import httpx

from chassis import context
from chassis.outbound import Upstream
from chassis.problems import Problem
from orders.domain.money import Money
from orders.domain.order import LONGEST_REASON, Order
from orders.ports.services import NoAnswerError, RefusedError

_REFUSALS: Final = frozenset({402, 409, 422})
_LATER: Final = 202


class _Asking:
    """Calls to one service, each with at most ``timeout`` seconds."""

    def __init__(self, upstream: Upstream, *, timeout: float) -> None:
        self._upstream = upstream
        self._timeout = timeout

    async def ask(self, method: str, path: str, order: Order, step: str, body: dict[str, Any] | None = None) -> int:
        """The status of a success. Raises ``RefusedError`` and ``NoAnswerError``."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"idempotency-key": f"{order.id}/{step}"}
        if content is not None:
            headers["content-type"] = "application/json"
        try:
            with context.prolong(self._timeout):
                answer = await self._upstream.request(method, path, content=content, headers=headers)
        except Problem as problem:
            raise NoAnswerError(problem.detail) from problem
        if answer.is_success:
            return answer.status_code
        if answer.status_code in _REFUSALS:
            raise RefusedError(_why(answer))
        raise NoAnswerError(f"{self._upstream.name} answered {answer.status_code}")


class AskedStock(_Asking):
    """The warehouse, asked by HTTP."""

    async def reserve(self, order: Order) -> None:
        """Set aside what the order is about."""
        items = [{"sku": line.sku, "quantity": line.quantity} for line in order.lines]
        await self.ask("POST", "/v1/reservations", order, "reserve", {"orderId": order.id, "items": items})

    async def release(self, order: Order) -> None:
        """Put it back."""
        await self.ask("DELETE", f"/v1/reservations/{order.id}", order, "release")

    async def commit(self, order: Order) -> None:
        """Keep it for good."""
        await self.ask("POST", f"/v1/reservations/{order.id}/commit", order, "commit")


class AskedPayments(_Asking):
    """The till, asked by HTTP."""

    async def charge(self, order: Order) -> bool:
        """Take the money, now or later."""
        body = {"orderId": order.id, "customer": order.customer, "amount": _money(order.total)}
        return await self.ask("POST", "/v1/charges", order, "charge", body) != _LATER

    async def refund(self, order: Order) -> bool:
        """Give it back, now or later."""
        return await self.ask("POST", f"/v1/charges/{order.id}/refund", order, "refund") != _LATER


class AskedParcels(_Asking):
    """The dispatch, asked by HTTP. Only to withdraw: a shipment is asked for by an event, and nobody waits for it."""

    async def withdraw(self, order: Order) -> bool:
        """See to it that no parcel leaves."""
        try:
            await self.ask("DELETE", f"/v1/shipments/{order.id}", order, "withdraw")
        except RefusedError:
            return False
        return True


def _money(money: Money) -> dict[str, Any]:
    return {"amount": money.amount, "currency": money.currency}


def _why(answer: httpx.Response) -> str:
    """The reason of a refusal, as its problem details tell it."""
    try:
        detail = answer.json().get("detail")
    except (ValueError, AttributeError):
        detail = None
    return str(detail or f"refused with {answer.status_code}")[:LONGEST_REASON]
