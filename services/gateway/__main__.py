"""Runs the gateway: ``python -m gateway``."""

from pydantic import Field

from chassis import endpoints
from chassis.service import Service
from chassis.settings import Settings, load
from gateway import aftercare, api


class GatewaySettings(Settings):
    """Settings of the gateway."""

    service: str = Field("gateway", validation_alias="SEATRIAL_SERVICE")
    orders_url: str = Field("http://orders", description="Base URL of orders.")
    catalog_url: str = Field("http://catalog", description="Base URL of the catalog.")
    shipping_url: str = Field("http://shipping", description="Base URL of shipping.")
    notifications_url: str = Field("http://notifications", description="Base URL of notifications.")


def main() -> None:
    """Compose and run."""
    settings = load(GatewaySettings)
    service = Service(settings, title="Gateway", description="The shop as its users see it.")
    orders = service.upstream("orders", settings.orders_url)
    catalog = service.upstream("catalog", settings.catalog_url)
    shipping = service.upstream("shipping", settings.shipping_url)
    notifications = service.upstream("notifications", settings.notifications_url)
    service.offer(
        api.router(orders=orders, catalog=catalog),
        aftercare.router(orders=orders, shipping=shipping, notifications=notifications),
        endpoints.identity(settings),
    )
    service.run()


if __name__ == "__main__":
    main()
