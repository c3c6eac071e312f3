"""Orders over HTTP."""

from typing import Annotated, Literal, Self
from uuid import uuid4

from fastapi import APIRouter, Header, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis.problems import Problem
from orders.adapters.signed_references import LONGEST
from orders.application import Ordering, Placed
from orders.domain.errors import OrderError, UnknownProductsError
from orders.domain.money import Money
from orders.domain.order import LARGEST_QUANTITY, MOST_LINES, Item

Customer = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$", examples=["ada"])]
Sku = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$", examples=["rope-01"])]


class ItemRequest(BaseModel):
    """A product to order."""

    model_config = ConfigDict(extra="forbid")

    sku: Sku
    quantity: int = Field(ge=1, le=LARGEST_QUANTITY, strict=True)


class OrderRequest(BaseModel):
    """An order to place."""

    model_config = ConfigDict(extra="forbid")

    customer: Customer
    items: list[ItemRequest] = Field(min_length=1, max_length=MOST_LINES)


class MoneyView(BaseModel):
    """An amount of money."""

    amount: int = Field(description="In minor units: 1999 EUR is 19.99.")
    currency: str = Field(description="ISO 4217 code.")

    @classmethod
    def of(cls, money: Money) -> Self:
        """The view of an amount."""
        return cls(amount=money.amount, currency=money.currency)


class LineView(BaseModel):
    """A line of an order."""

    sku: str
    quantity: int
    unitPrice: MoneyView  # noqa: N815 - JSON name
    total: MoneyView


class OrderView(BaseModel):
    """A placed order."""

    id: str = Field(description="Where it is found again: /v1/orders/{id}. Long, because it holds the order itself.")
    number: str = Field(description="Short name of the order: the same order has the same number.")
    status: Literal["pending"] = Field(description="Nothing happens to orders yet, so they stay pending.")
    customer: str
    items: list[LineView]
    total: MoneyView

    @classmethod
    def of(cls, placed: Placed) -> Self:
        """The view of an order."""
        order = placed.order
        lines = [
            LineView(
                sku=line.sku,
                quantity=line.quantity,
                unitPrice=MoneyView.of(line.unit_price),
                total=MoneyView.of(line.total),
            )
            for line in order.lines
        ]
        return cls(
            id=placed.reference,
            number=order.number,
            status="pending",
            customer=order.customer,
            items=lines,
            total=MoneyView.of(order.total),
        )


class OrderList(BaseModel):
    """Some of a customer's orders."""

    orders: list[OrderView]
    complete: Literal[False] = Field(
        False, description="Never all of them: each pod knows those that it has placed lately itself."
    )


def router(ordering: Ordering) -> APIRouter:
    """Routes of orders."""
    routes = APIRouter(tags=["orders"])

    @routes.post("/v1/orders", status_code=201)
    async def place_order(
        request: OrderRequest,
        response: Response,
        idempotency_key: Annotated[
            str | None,
            Header(
                pattern=r"^[\x21-\x7e]{1,128}$",
                description="The same order placed again with the same key is the same order, on every pod.",
            ),
        ] = None,
    ) -> OrderView:
        """Place an order at the prices of now."""
        items = [Item(item.sku, item.quantity) for item in request.items]
        try:
            placed = await ordering.place(customer=request.customer, items=items, key=idempotency_key or str(uuid4()))
        except OrderError as error:
            raise _refusal(error, request) from error
        response.headers["location"] = f"/v1/orders/{placed.reference}"
        return OrderView.of(placed)

    @routes.get("/v1/orders/{order_id}")
    async def read_order(order_id: Annotated[str, Path(max_length=LONGEST)]) -> OrderView:
        """Read an order by its id, on any pod."""
        placed = ordering.find(order_id)
        if placed is None:
            detail = "No order has this id. Use the id or the Location of the answer to POST /v1/orders."
            raise Problem(404, detail, kind="unknown-order")
        return OrderView.of(placed)

    @routes.get("/v1/orders")
    async def list_recent_orders(
        customer: Annotated[Customer, Query()], limit: Annotated[int, Query(ge=1, le=100)] = 20
    ) -> OrderList:
        """List orders of a customer that this pod has placed lately, the latest first."""
        return OrderList(orders=[OrderView.of(placed) for placed in ordering.recent(customer, limit=limit)])

    return routes


def _refusal(error: OrderError, request: OrderRequest) -> Problem:
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
