"""The catalog over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from catalog.products import Catalog, Product
from chassis.problems import Problem

Sku = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$", examples=["rope-01"])]


class Price(BaseModel):
    """An amount of money."""

    amount: int = Field(description="In minor units: 1999 EUR is 19.99.", ge=0)
    currency: str = Field(description="ISO 4217 code.")


class ProductView(BaseModel):
    """A product as callers see it."""

    sku: Sku
    name: str
    description: str
    price: Price

    @classmethod
    def of(cls, product: Product) -> "ProductView":
        """The view of a product."""
        price = Price(amount=product.amount, currency=product.currency)
        return cls(sku=product.sku, name=product.name, description=product.description, price=price)


class ProductList(BaseModel):
    """Some of the products."""

    products: list[ProductView]
    total: int = Field(description="How many there are, on all pages.")


def router(catalog: Catalog) -> APIRouter:
    """Routes of the catalog."""
    routes = APIRouter(tags=["products"])

    @routes.get("/v1/products")
    async def list_products(
        sku: Annotated[list[Sku] | None, Query(max_length=50, description="Only these SKUs.")] = None,
        q: Annotated[str, Query(max_length=100, description="Words in name or description.")] = "",
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
        offset: Annotated[int, Query(ge=0)] = 0,
    ) -> ProductList:
        """List products by SKU. SKUs that don't exist are left out."""
        found = list(catalog.find(skus=sku or (), text=q))
        page = found[offset : offset + limit]
        return ProductList(products=[ProductView.of(product) for product in page], total=len(found))

    @routes.get("/v1/products/{sku}")
    async def read_product(sku: Annotated[Sku, Path()]) -> ProductView:
        """Read one product."""
        product = catalog.get(sku)
        if product is None:
            raise Problem(404, f"No product has the SKU {sku}. GET /v1/products lists all.", kind="unknown-product")
        return ProductView.of(product)

    return routes
