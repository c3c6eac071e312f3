"""What customers are told, and about which events. Pure: from an event's payload to what a template needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

STAGES: Final[Mapping[str, tuple[str, int]]] = {
    "OrderPlaced": ("placed", 0),
    "OrderConfirmed": ("confirmed", 1),
    "OrderShipped": ("shipped", 2),
    "OrderDelivered": ("delivered", 3),
    "OrderCancelled": ("cancelled", 4),
}
"""Occasion and place in an order's life by event."""

RECEIPT: Final = "placed"
"""The one occasion that is told however late: the customer has a right to a receipt."""

_MINOR_DIGITS: Final = {"BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3, "JPY": 0, "KRW": 0, "CLP": 0, "VND": 0}


@dataclass(frozen=True)
class Occasion:
    """A reason to tell a customer something."""

    kind: str
    """Names the template."""
    order: str
    customer: str
    stage: int
    """Events of an order can overtake one another: what is behind what was told already is news no more."""
    fields: Mapping[str, Any] = field(default_factory=dict)


def occasion(event_type: str, payload: Mapping[str, Any]) -> Occasion:
    """The occasion that an event of ``STAGES`` is."""
    kind, stage = STAGES[event_type]
    total = payload["total"]
    fields = {
        "total": money(total["amount"], total["currency"]),
        "reason": payload.get("reason"),
        "cancelled_by": payload.get("cancelledBy"),
        "items": [(item["sku"], item["quantity"]) for item in payload.get("items", ())],
        "city": payload.get("address", {}).get("city"),
    }
    return Occasion(kind, payload["orderId"], payload["customer"], stage, fields)


def money(amount: int, currency: str) -> str:
    """An amount in minor units as people write it: ``money(1999, "EUR")`` is ``19.99 EUR``."""
    digits = _MINOR_DIGITS.get(currency, 2)
    whole, rest = divmod(amount, 10**digits)
    return f"{whole:,}.{rest:0{digits}d} {currency}" if digits else f"{whole:,} {currency}"
