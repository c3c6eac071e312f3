"""Stock and reservations as callers see them."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field

from chassis.views import Request, View
from inventory import orders_language
from inventory.domain.reservation import Reservation, Status
from inventory.domain.stock import StockItem

Sku = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$", examples=["rope-01"])]
OrderId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$", examples=["0199c0de-order"])]
Warehouse = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$", examples=["kiel"])]

MOST_UNITS = 1_000_000_000


class ItemRequest(Request):
    """A product of an order, as orders calls it."""

    sku: Sku
    quantity: int = Field(ge=1, le=100_000, strict=True)


class ReservationRequest(Request):
    """What an order wants."""

    order_id: OrderId
    items: list[ItemRequest] = Field(min_length=1, max_length=50)


class ReceiptRequest(Request):
    """Goods that came in."""

    sku: Sku
    units: int = Field(ge=1, le=MOST_UNITS, strict=True)


class PolicyRequest(Request):
    """When a thing is scarce, and up to which level it is bought; 0 buys nothing."""

    reorder_point: int = Field(ge=0, le=MOST_UNITS, strict=True)
    order_up_to: int = Field(ge=0, le=MOST_UNITS, strict=True)


class ItemView(View):
    """One thing in one warehouse."""

    sku: str
    warehouse: str
    received: int = Field(description="Ever: available + reserved + shipped.")
    available: int
    reserved: int
    shipped: int
    reorder_point: int
    order_up_to: int
    low: bool

    @classmethod
    def of(cls, item: StockItem) -> Self:
        """The view of an item."""
        return cls.model_validate(item, from_attributes=True)


class StockView(View):
    """One thing in all warehouses."""

    sku: str
    received: int
    available: int
    reserved: int
    shipped: int
    warehouses: list[ItemView] = Field(description="The nearest first.")

    @classmethod
    def of(cls, items: list[StockItem]) -> Self:
        """The view of items of one SKU."""
        counts = ("received", "available", "reserved", "shipped")
        sums = {name: sum(getattr(item, name) for item in items) for name in counts}
        return cls(sku=items[0].sku, warehouses=[ItemView.of(item) for item in items], **sums)


class StockList(View):
    """Some of the items."""

    items: list[ItemView]


class Item(View):
    """A product of an order, as orders calls it."""

    sku: str
    quantity: int


class PickView(View):
    """Where units are held or were taken from."""

    sku: str
    warehouse: str
    units: int


class ReservationView(View):
    """What is held for an order."""

    id: str
    order_id: str
    status: Status
    items: list[Item]
    picks: list[PickView]
    expires_at: datetime = Field(description="When the goods are free again unless it is committed.")

    @classmethod
    def of(cls, reservation: Reservation) -> Self:
        """The view of a reservation."""
        return cls(
            id=reservation.id,
            order_id=reservation.order_id,
            status=reservation.status,
            items=[Item(**item) for item in orders_language.items(reservation.demand)],
            picks=[PickView.model_validate(pick, from_attributes=True) for pick in reservation.picks],
            expires_at=reservation.expires_at,
        )
