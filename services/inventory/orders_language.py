"""The anti-corruption layer: the one place that knows how orders talks.

Orders sells products: an order has items with a quantity and a price, for a customer. Here nothing is sold and nothing
has a price: an order is a claim on goods, and its items are a demand, units by SKU. What stock doesn't need stays
outside, so a change of prices, customers or addresses there changes nothing here. The way back is here as well: what
this service tells in its events, it tells in the words of who reads them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from inventory.domain.reservation import Demand, Flow, Reservation


@dataclass(frozen=True, slots=True)
class Claim:
    """Goods that an order wants."""

    order_id: str
    flow: Flow
    demand: Demand


def demand(items: Iterable[Mapping[str, Any]]) -> Demand:
    """Items of an order as units by SKU. A product that stands in two items is one demand."""
    units: dict[str, int] = {}
    for item in items:
        units[item["sku"]] = units.get(item["sku"], 0) + item["quantity"]
    return tuple(sorted(units.items()))


def items(wanted: Demand) -> list[dict[str, Any]]:
    """A demand as items."""
    return [{"sku": sku, "quantity": units} for sku, units in wanted]


def claim(placed: Mapping[str, Any]) -> Claim:
    """What ``OrderPlaced`` wants of the warehouses."""
    return Claim(placed["orderId"], placed["saga"], demand(placed["items"]))


def reserved(reservation: Reservation) -> dict[str, Any]:
    """Payload of ``StockReserved``."""
    return {**_about(reservation), "expiresAt": reservation.expires_at.isoformat()}


def released(reservation: Reservation, reason: str) -> dict[str, Any]:
    """Payload of ``StockReleased``."""
    return {**_about(reservation), "reason": reason}


def refused(order_id: str, flow: Flow, reason: str) -> dict[str, Any]:
    """Payload of ``StockReservationFailed``."""
    return {"orderId": order_id, "reason": reason, "saga": flow}


def _about(reservation: Reservation) -> dict[str, Any]:
    return {
        "orderId": reservation.order_id,
        "reservationId": reservation.id,
        "items": items(reservation.demand),
        "saga": reservation.flow,
    }
