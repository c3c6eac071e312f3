"""The one place that puts the parts of orders together: for pods, for the command line, and for tests."""

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from pydantic import Field

from chassis.durations import Duration
from chassis.ids import new_id
from chassis.inbox import REMEMBERED
from chassis.settings import Settings
from orders.adapters.tiers import ListedTiers
from orders.application.coordinator import Coordinator
from orders.application.ordering import Habits, Ordering
from orders.domain.discounts import Discounts
from orders.domain.order import Flow
from orders.domain.saga import Policy
from orders.ports.services import Errands, Parcels, Payments, Prices, Stock
from orders.ports.storage import Storage


class OrdersSettings(Settings):
    """Settings of orders."""

    service: str = Field("orders", validation_alias="SEATRIAL_SERVICE")
    catalog_url: str = Field("http://catalog", description="Base URL of the catalog.")
    inventory_url: str = Field("http://inventory", description="Base URL of inventory.")
    payments_url: str = Field("http://payments", description="Base URL of payments.")
    shipping_url: str = Field("http://shipping", description="Base URL of shipping.")
    saga: Flow = Flow.ORCHESTRATED
    """The toggle: who leads orders to their end that don't say it themselves. An order keeps what it was made with."""
    checkout_patience: Duration = 2.0
    """How long a checkout waits for stock and payment; then it answers, and they go on."""
    step_timeout: Duration = 30.0
    gold_customers: tuple[str, ...] = ()
    discounts: list[Any] | None = None
    """Discount rules as JSON, in place of those that come with the service."""


@dataclass(frozen=True, slots=True)
class Outside:
    """Whom ordering asks."""

    prices: Prices
    stock: Stock
    payments: Payments
    parcels: Parcels


@dataclass(frozen=True, slots=True)
class Parts:
    """Orders, put together."""

    ordering: Ordering
    coordinator: Coordinator


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


def compose(  # noqa: PLR0913 - what it is made of
    settings: OrdersSettings,
    *,
    storage: Storage,
    outside: Outside,
    errands: Errands,
    policy: Policy,
    clock: Callable[[], datetime] = now,
) -> Parts:
    """Put orders together on a storage. Raises ``InvalidRuleError`` when the discount rules can't be read."""
    coordinator = Coordinator(
        storage=storage,
        stock=outside.stock,
        payments=outside.payments,
        parcels=outside.parcels,
        errands=errands,
        clock=clock,
        driver=f"{settings.pod or socket.gethostname()}/{new_id()}",
        policy=policy,
    )
    ordering = Ordering(
        storage=storage,
        prices=outside.prices,
        tiers=ListedTiers(settings.gold_customers),
        discounts=Discounts.parse(_bundled() if settings.discounts is None else settings.discounts),
        coordinator=coordinator,
        errands=errands,
        clock=clock,
        new_id=new_id,
        habits=Habits(flow=settings.saga, patience=settings.checkout_patience, memory=REMEMBERED),
    )
    return Parts(ordering, coordinator)


def _bundled() -> object:
    return json.loads(resources.files("orders").joinpath("discounts.json").read_text(encoding="utf-8"))
