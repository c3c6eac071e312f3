"""Orders from a command line, on the same database as the pods: ``python -m orders place --customer ada rope-01=2``.

For whoever has a shell where the service runs. Prints JSON, one document for each order or saga; logs go to stderr.
"""

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

from pydantic import BaseModel, ValidationError

from chassis.ids import new_id
from chassis.problems import Problem
from orders.application.coordinator import Coordinator
from orders.application.ordering import Ordering, Trail
from orders.domain.errors import OrderError
from orders.domain.saga import Action, SagaStatus
from orders.entrypoints.views import OrderRequest, OrderView, SagaView

COMMANDS: Final = frozenset({"place", "show", "list", "cancel", "sagas", "resolve"})
_PATIENCE: Final = 10.0
"""Seconds to wait until a parcel is withdrawn."""
Open = Callable[[], AbstractAsyncContextManager[tuple[Ordering, Coordinator]]]


def main(open_: Open, arguments: Sequence[str]) -> None:
    """Run one command, and end with 1 and a sentence when it isn't possible."""
    chosen = _parser().parse_args(arguments)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(sys.stderr)  # the answer alone goes where it may be read by a program

    async def run() -> list[BaseModel]:
        async with open_() as (ordering, coordinator):
            return [view async for view in _run(chosen, ordering, coordinator)]

    try:
        for view in asyncio.run(run()):
            sys.stdout.write(json.dumps(view.model_dump(mode="json"), indent=2) + "\n")
    except (OrderError, ValidationError) as error:
        sys.exit(f"orders: {error}")
    except Problem as problem:
        sys.exit(f"orders: {problem.detail}")


async def _run(  # noqa: C901 - one branch a command
    chosen: argparse.Namespace, ordering: Ordering, coordinator: Coordinator
) -> AsyncIterator[BaseModel]:
    match chosen.command:
        case "place":
            items = [{"sku": sku, "quantity": int(quantity)} for sku, quantity in chosen.items]
            wish = OrderRequest.model_validate(
                {"customer": chosen.customer, "items": items, "saga": chosen.saga}
            ).wish()
            identity = new_id()
            yield OrderView.of(await ordering.place(wish, key=chosen.key, trail=Trail(identity, identity)))
        case "show":
            order = await ordering.find(chosen.id)
            if order is None:
                raise OrderError(f"there is no order {chosen.id}")
            yield OrderView.of(order)
        case "list":
            for order in await ordering.orders_of(chosen.customer, limit=chosen.limit):
                yield OrderView.of(order)
        case "sagas":
            for saga in await ordering.sagas([SagaStatus(chosen.status)], limit=chosen.limit):
                yield SagaView.of(saga)
        case "cancel":
            cancelled = await coordinator.cancel(chosen.id, chosen.reason, patience=_PATIENCE)
            if cancelled is None:
                raise OrderError(f"there is no order {chosen.id}")
            yield OrderView.of(cancelled)
        case _:
            resolved = await coordinator.resolve(chosen.id, Action(chosen.action), chosen.reason)
            if resolved is None:
                raise OrderError(f"there is no order {chosen.id}")
            yield SagaView.of(resolved.saga)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m orders", description="Orders, on the database of DATABASE_URL.")
    commands = parser.add_subparsers(dest="command", required=True)
    place = commands.add_parser("place", help="place an order")
    place.add_argument("items", nargs="+", type=_item, metavar="SKU=QUANTITY")
    place.add_argument("--customer", required=True)
    place.add_argument("--saga", choices=["orchestrated", "choreographed"])
    place.add_argument("--key", help="idempotency key")
    show = commands.add_parser("show", help="show an order")
    show.add_argument("id")
    listing = commands.add_parser("list", help="list a customer's orders")
    listing.add_argument("--customer", required=True)
    cancel = commands.add_parser("cancel", help="cancel an order")
    cancel.add_argument("id")
    sagas = commands.add_parser("sagas", help="list sagas")
    sagas.add_argument("--status", choices=list(SagaStatus), default=SagaStatus.STUCK)
    for paged in (listing, sagas):
        paged.add_argument("--limit", type=int, default=20)
    resolve = commands.add_parser("resolve", help="decide about a saga that is stuck")
    resolve.add_argument("id")
    resolve.add_argument("--action", choices=list(Action), default=Action.RETRY)
    for reasoned in (cancel, resolve):
        reasoned.add_argument("--reason", required=True)
    return parser


def _item(text: str) -> tuple[str, str]:
    sku, separator, quantity = text.partition("=")
    if not separator or not quantity.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} isn't SKU=QUANTITY, as in rope-01=2")
    return sku, quantity
