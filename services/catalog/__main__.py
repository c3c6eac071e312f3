"""Runs the catalog: ``python -m catalog``."""

from pydantic import Field

from catalog import api
from catalog.products import Catalog
from chassis import endpoints
from chassis.service import Service
from chassis.settings import Settings, load


class CatalogSettings(Settings):
    """Settings of the catalog."""

    service: str = Field("catalog", validation_alias="SEATRIAL_SERVICE")


def main() -> None:
    """Compose and run."""
    settings = load(CatalogSettings)
    service = Service(settings, title="Catalog", description="What the shop sells.")
    service.offer(api.router(Catalog.bundled()), endpoints.identity(settings))
    service.run()


if __name__ == "__main__":
    main()
