"""Runs orders: ``python -m orders`` serves; ``python -m orders place …`` and other commands do one thing and end."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from chassis import endpoints, migrations
from chassis.service import Service
from chassis.settings import load
from orders.adapters.asking import AskedParcels, AskedPayments, AskedStock
from orders.adapters.catalog_prices import CatalogPrices
from orders.adapters.errands import TaskErrands
from orders.adapters.sql import SqlStorage
from orders.application.coordinator import Coordinator
from orders.application.ordering import Ordering
from orders.composition import OrdersSettings, Outside, compose, now
from orders.domain.errors import InvalidRuleError
from orders.domain.saga import Policy
from orders.entrypoints import cli, http, queue, upkeep


class Orders:
    """One process of orders, made of adapters to the outside."""

    def __init__(self, settings: OrdersSettings) -> None:
        self.service = Service(settings, title="Orders", description="What customers asked for.")
        self.database = self.service.database(settings.database_url, migrations="orders")
        self.errands = TaskErrands()
        self.parts = compose(
            settings,
            storage=SqlStorage(self.database, self.service.outbox(self.database), clock=now),
            outside=Outside(
                prices=CatalogPrices(self.service.upstream("catalog", settings.catalog_url)),
                stock=AskedStock(
                    self.service.upstream("inventory", settings.inventory_url), timeout=settings.step_timeout
                ),
                payments=AskedPayments(
                    self.service.upstream("payments", settings.payments_url), timeout=settings.step_timeout
                ),
                parcels=AskedParcels(
                    self.service.upstream("shipping", settings.shipping_url), timeout=settings.step_timeout
                ),
            ),
            errands=self.errands,
            policy=Policy(step_timeout=timedelta(seconds=settings.step_timeout)),
        )

    def serve(self, settings: OrdersSettings) -> None:
        """Serve requests and messages, and see to sagas that nobody drives."""
        service, parts = self.service, self.parts
        service.offer(
            http.router(parts.ordering, parts.coordinator, patience=settings.checkout_patience),
            endpoints.identity(settings),
        )
        queue.attach(service.consume, parts.ordering, parts.coordinator)
        upkeep.attach(service.every, parts.ordering, parts.coordinator, service.registry)
        service.background("leases", upkeep.heartbeat(parts.coordinator, self.errands.busy), until="end")
        service.background("errands", self.errands.finish, until="end")
        service.run()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[tuple[Ordering, Coordinator]]:
        """For one command: what it begins is finished here, or by a pod that takes it up."""
        if self.database.dialect == "sqlite":
            await migrations.migrate(self.database, "orders", patience=0)
        try:
            yield self.parts.ordering, self.parts.coordinator
            await self.errands.rest()
        finally:
            await self.database.close()


def main() -> None:
    """Compose, and serve or do what the command line says."""
    settings = load(OrdersSettings)
    try:
        orders = Orders(settings)
    except InvalidRuleError as error:
        sys.exit(f"environment variable DISCOUNTS: {error}")
    if sys.argv[1:2] and sys.argv[1] in cli.COMMANDS:
        cli.main(orders.opened, sys.argv[1:])
    else:
        orders.serve(settings)


if __name__ == "__main__":
    main()
