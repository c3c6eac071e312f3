"""Prices from the catalog service, all products of an order in one call."""

from collections.abc import Collection, Mapping

from chassis.outbound import Upstream
from orders.domain.money import Money


class CatalogPrices:
    """Asks the catalog."""

    def __init__(self, catalog: Upstream) -> None:
        self._catalog = catalog

    async def of(self, skus: Collection[str]) -> Mapping[str, Money]:
        """Prices by SKU. Raises the chassis' ``Problem`` when the catalog doesn't answer."""
        if not skus:
            return {}
        query = [("sku", sku) for sku in skus]
        page = await self._catalog.get_json("/v1/products", query=[*query, ("limit", len(query))])
        return {
            product["sku"]: Money(product["price"]["amount"], product["price"]["currency"])
            for product in page["products"]
        }
