"""Runs orders: ``python -m orders``. The one place that knows all parts."""

import logging
import secrets

from pydantic import Field, SecretStr

from chassis import endpoints
from chassis.service import Service
from chassis.settings import Settings, load
from orders.adapters.catalog_prices import CatalogPrices
from orders.adapters.memory_recent import MemoryRecentOrders
from orders.adapters.signed_references import SignedReferences
from orders.application import Ordering
from orders.entrypoints import http


class OrdersSettings(Settings):
    """Settings of orders."""

    service: str = Field("orders", validation_alias="SEATRIAL_SERVICE")
    catalog_url: str = Field("http://catalog", description="Base URL of the catalog.")
    reference_key: SecretStr | None = Field(
        None, min_length=16, description="Signs the ids of orders; the same for all pods."
    )
    recent_orders: int = Field(1000, ge=1, description="Orders that this process remembers for lists.")


def main() -> None:
    """Compose and run."""
    settings = load(OrdersSettings)
    service = Service(settings, title="Orders", description="What customers asked for.")
    ordering = Ordering(
        prices=CatalogPrices(service.upstream("catalog", settings.catalog_url)),
        references=SignedReferences(_key(settings)),
        recent=MemoryRecentOrders(settings.recent_orders),
    )
    service.offer(http.router(ordering), endpoints.identity(settings))
    service.run()


def _key(settings: OrdersSettings) -> bytes:
    if settings.reference_key is not None:
        return settings.reference_key.get_secret_value().encode()
    logging.getLogger("orders").warning("no REFERENCE_KEY: only this process will find the orders that it places")
    return secrets.token_bytes(32)


if __name__ == "__main__":
    main()
