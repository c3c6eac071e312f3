"""A service's handlers on FastAPI and uvicorn as they come, without the chassis around them: what it is compared with.

``SERVICE`` says which, ``DATABASE_URL`` where its data are. Only what the handlers in question use is put together.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import uvicorn
from fastapi import APIRouter, FastAPI

from chassis.database import Database
from chassis.idempotency import IdempotencyKeys
from chassis.outbox import Outbox

NOBODY = cast("Any", None)
"""Whom the measured handlers don't ask."""


def now() -> datetime:
    return datetime.now(UTC)


def catalog(_: Database) -> APIRouter:
    from catalog.api import router  # noqa: PLC0415 - of the service in question alone, as in its own process
    from catalog.products import Catalog  # noqa: PLC0415

    return router(Catalog.bundled())


def orders(database: Database) -> APIRouter:
    from orders.adapters.sql import SqlStorage  # noqa: PLC0415
    from orders.composition import OrdersSettings, Outside, compose  # noqa: PLC0415
    from orders.domain.saga import Policy  # noqa: PLC0415
    from orders.entrypoints import http  # noqa: PLC0415

    storage = SqlStorage(database, Outbox(), clock=now)
    outside = Outside(prices=NOBODY, stock=NOBODY, payments=NOBODY, parcels=NOBODY)
    parts = compose(OrdersSettings(), storage=storage, outside=outside, errands=NOBODY, policy=Policy())
    return http.router(parts.ordering, parts.coordinator, patience=2.0)


def inventory(database: Database) -> APIRouter:
    from inventory import api  # noqa: PLC0415
    from inventory.levels import Levels  # noqa: PLC0415
    from inventory.supply import Supply  # noqa: PLC0415

    supply = Supply(levels=Levels(Outbox()), lead_time=timedelta(seconds=30), now=now)
    return api.shelves(database, supply, IdempotencyKeys())


def payments(database: Database) -> APIRouter:
    from payments import api  # noqa: PLC0415

    return api.books(database)


def shipping(database: Database) -> APIRouter:
    from shipping import api  # noqa: PLC0415

    return api.shipments(database, NOBODY, NOBODY)


def notifications(database: Database) -> APIRouter:
    from notifications.entrypoints import http  # noqa: PLC0415

    return http.router(database, NOBODY, NOBODY, NOBODY)


ROUTERS: dict[str, Callable[[Database], APIRouter]] = {
    one.__name__: one for one in (catalog, orders, inventory, payments, shipping, notifications)
}


def main() -> None:
    app = FastAPI()

    @app.get("/readyz")
    async def read_readiness() -> str:
        return "ok"

    app.include_router(ROUTERS[os.environ["SERVICE"]](Database(os.environ.get("DATABASE_URL"))))
    uvicorn.run(app, port=int(os.environ["PORT"]), loop="uvloop", http="httptools", log_config=None, access_log=False)


if __name__ == "__main__":
    main()
