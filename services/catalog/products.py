"""Products, and where they are found."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Self


@dataclass(frozen=True, slots=True)
class Product:
    """Something to buy. ``amount`` is its price in minor units of an ISO 4217 currency: 1999 EUR is 19.99."""

    sku: str
    name: str
    description: str
    amount: int
    currency: str


class Catalog:
    """All products, in the order of their SKUs."""

    def __init__(self, products: Iterable[Product]) -> None:
        self._by_sku = {product.sku: product for product in sorted(products, key=lambda product: product.sku)}

    @classmethod
    def bundled(cls) -> Self:
        """The shop's range, as it comes with the service."""
        text = resources.files("catalog").joinpath("products.json").read_text(encoding="utf-8")
        return cls(Product(**entry) for entry in json.loads(text))

    def __len__(self) -> int:
        return len(self._by_sku)

    def get(self, sku: str) -> Product | None:
        """The product of an SKU, or None."""
        return self._by_sku.get(sku)

    def find(self, *, skus: Iterable[str] = (), text: str = "") -> Iterator[Product]:
        """Products with one of the SKUs, if any are given, whose name or description holds the text, ignoring case."""
        wanted, needle = frozenset(skus), text.casefold()
        for product in self._by_sku.values():
            if wanted and product.sku not in wanted:
                continue
            if needle in product.name.casefold() or needle in product.description.casefold():
                yield product
