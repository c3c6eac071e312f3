"""Orders and sagas as callers see them, and what they send: the shapes of the HTTP API."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from orders.application.ordering import Wish
from orders.domain import address
from orders.domain.money import Money
from orders.domain.order import LARGEST_QUANTITY, LONGEST_REASON, MOST_LINES, Flow, Item, Order, Status
from orders.domain.saga import Action, Saga, SagaStatus, Step

# ruff: noqa: N815 - names as they stand in JSON

Customer = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$", examples=["ada"])]
Sku = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$", examples=["rope-01"])]
Text = Annotated[str, Field(min_length=1, max_length=address.LONGEST)]


class ItemRequest(BaseModel):
    """A product to order."""

    model_config = ConfigDict(extra="forbid")

    sku: Sku
    quantity: int = Field(ge=1, le=LARGEST_QUANTITY, strict=True)


class AddressView(BaseModel):
    """Where an order goes."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    name: Text
    street: Text
    postcode: Text
    city: Text
    country: str = Field(pattern=r"^[A-Z]{2}$", description="ISO 3166 code.", examples=["DE"])


class OrderRequest(BaseModel):
    """An order to place."""

    model_config = ConfigDict(extra="forbid")

    customer: Customer
    items: list[ItemRequest] = Field(min_length=1, max_length=MOST_LINES)
    address: AddressView | None = Field(None, description="Without one the order waits at the counter.")
    saga: Flow | None = Field(None, description="Who leads the order to its end; without it as the shop is set.")

    def wish(self) -> Wish:
        """What is wanted. Raises ``OrderError`` for an address that is none."""
        return Wish(
            customer=self.customer,
            items=[Item(item.sku, item.quantity) for item in self.items],
            address=address.Address(**self.address.model_dump()) if self.address else None,
            flow=self.saga,
        )


Reason = Annotated[
    str, Field(min_length=1, max_length=LONGEST_REASON, pattern=r"^[^\x00-\x1f]*[^\x00-\x20][^\x00-\x1f]*$")
]
"""A line that isn't blank."""


class CancelRequest(BaseModel):
    """Why an order is cancelled."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason = Field(examples=["ordered twice"])


class ResolveRequest(BaseModel):
    """What is to become of a saga, and why."""

    model_config = ConfigDict(extra="forbid")

    action: Action = Field(description="Try again, take back what was done, or take it as settled by hand.")
    reason: Reason = Field(examples=["payments is back"])


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
    unitPrice: MoneyView
    total: MoneyView


class DiscountView(BaseModel):
    """What was taken off, and by which rule."""

    rule: str
    amount: MoneyView


class OrderView(BaseModel):
    """An order."""

    id: str = Field(description="Where it is found again: /v1/orders/{id}.")
    status: Status
    reason: str | None = Field(description="Why it was cancelled.")
    customer: str
    items: list[LineView]
    discount: DiscountView | None
    total: MoneyView = Field(description="What the customer pays.")
    address: AddressView
    saga: Flow
    placedAt: datetime

    @classmethod
    def of(cls, order: Order) -> Self:
        """The view of an order."""
        lines = [
            LineView(
                sku=line.sku,
                quantity=line.quantity,
                unitPrice=MoneyView.of(line.unit_price),
                total=MoneyView.of(line.total),
            )
            for line in order.lines
        ]
        off = order.discount
        return cls(
            id=order.id,
            status=order.status,
            reason=order.reason,
            customer=order.customer,
            items=lines,
            discount=DiscountView(rule=off.rule, amount=MoneyView.of(off.amount)) if off else None,
            total=MoneyView.of(order.total),
            address=AddressView.model_validate(order.address),
            saga=order.flow,
            placedAt=order.placed_at,
        )


class OrderList(BaseModel):
    """A page of a customer's orders, the latest first."""

    orders: list[OrderView]
    next: str | None = Field(description="Give it as `after` for the next page; null on the last one.")


class SagaView(BaseModel):
    """The record of a saga."""

    sagaId: str = Field(description="The id of its order.")
    type: Flow
    status: SagaStatus
    currentStep: Step | None
    completedSteps: list[Step]
    data: dict[str, Any] = Field(description="What was taken back, what still must be, and why.")
    startedAt: datetime
    updatedAt: datetime

    @classmethod
    def of(cls, saga: Saga) -> Self:
        """The view of a saga."""
        return cls(
            sagaId=saga.id,
            type=saga.type,
            status=saga.status,
            currentStep=saga.current,
            completedSteps=list(saga.completed),
            data={
                "orderId": saga.id,
                "reason": saga.reason,
                "trouble": saga.trouble,
                "attempts": saga.attempts,
                "toUndo": list(saga.to_undo),
                "undone": list(saga.undone),
                "dueAt": saga.due_at and saga.due_at.isoformat(),
                "correlationId": saga.trail.get("correlation"),
            },
            startedAt=saga.started_at,
            updatedAt=saga.updated_at,
        )


class SagaList(BaseModel):
    """A page of sagas, the latest first."""

    sagas: list[SagaView]
    next: str | None = Field(description="Give it as `after` for the next page; null on the last one.")


Which = Literal["unended"] | SagaStatus
