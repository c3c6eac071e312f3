"""Shipments and carriers as callers see them."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, WithJsonSchema

from chassis.durations import Duration
from chassis.views import Request, View
from shipping.carriers.port import Offer
from shipping.carriers.simulated import Conditions
from shipping.domain.shipment import Address, Parcel, Shipment, Status
from shipping.domain.tariff import CURRENCY

OrderId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$", examples=["0199c0de-order"])]
TrackingCode = Annotated[str, Field(pattern=r"^[A-Z]{2}-[A-Za-z0-9-]{1,64}$", examples=["DR-0199c0de"])]
CarrierName = Annotated[str, Field(pattern=r"^[a-z]{1,32}$", examples=["dray"])]
Delay = Annotated[
    Duration,
    Field(ge=0, le=600, description="How long it takes to answer."),
    WithJsonSchema({"type": "string", "pattern": r"^([0-9]{1,6}(ms|s|m|h))+$", "examples": ["8s"]}),
]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", examples=["DE"])]


class ShipmentView(View):
    """A shipment."""

    id: str
    order_id: str
    status: Status
    carrier: str | None
    tracking_code: str | None
    reason: str | None = Field(description="Why it failed or was cancelled.")

    @classmethod
    def of(cls, shipment: Shipment) -> Self:
        """The view of a shipment."""
        return cls.model_validate(shipment, from_attributes=True)


class StepView(View):
    """What a shipment came to be, and when."""

    status: Status
    at: datetime


class TrackingView(View):
    """Where a parcel is. Who has the code isn't told whose it is."""

    tracking_code: str
    carrier: str | None
    status: Status
    steps: list[StepView]

    @classmethod
    def of(cls, shipment: Shipment, steps: list[tuple[Status, datetime]]) -> Self:
        """The view of a shipment with its steps."""
        return cls(
            tracking_code=shipment.tracking_code or "",
            carrier=shipment.carrier,
            status=shipment.status,
            steps=[StepView(status=status, at=at) for status, at in steps],
        )


class QuoteRequest(Request):
    """A parcel to be priced."""

    country: Country
    units: int = Field(ge=1, le=1_000_000, strict=True)

    def parcel(self) -> Parcel:
        """The parcel; carriers price by its country and units alone."""
        return Parcel(Address("", "", "", "", self.country), (("any", self.units),))


class Price(View):
    """An amount of money."""

    amount: int = Field(description="In minor units: 1999 EUR is 19.99.")
    currency: str = Field(description="ISO 4217 code.")


class QuoteView(View):
    """What a carrier would take."""

    carrier: str
    price: Price
    delivery_at: datetime

    @classmethod
    def of(cls, offer: Offer) -> Self:
        """The view of an offer."""
        price = Price(amount=offer.price, currency=CURRENCY)
        return cls(carrier=offer.carrier, price=price, delivery_at=offer.delivery_at)


class QuotesView(View):
    """What carriers would take, the cheapest first."""

    quotes: list[QuoteView]
    missing: dict[str, str] = Field(description="Carriers that didn't say, and why.")


class ConditionsRequest(Request):
    """How a simulated carrier is to do."""

    delay: Delay
    fail_percent: float = Field(0, ge=0, le=100, description="So many of its answers are failures.")
    hang: bool = Field(False, description="It never answers.")

    def conditions(self) -> Conditions:
        """As the carrier takes them."""
        return Conditions(self.delay, self.fail_percent, self.hang)


class ConditionsView(View):
    """How a simulated carrier does. ``delay`` is in seconds."""

    carrier: str
    delay: float
    fail_percent: float
    hang: bool

    @classmethod
    def of(cls, carrier: str, conditions: Conditions) -> Self:
        """The view of a carrier's conditions."""
        return cls(carrier=carrier, delay=conditions.delay, fail_percent=conditions.fail_percent, hang=conditions.hang)
