"""Events of the shop as tests send them to a real broker: well-formed, old, repeated, reordered, broken."""

import asyncio
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import nats

from chassis.events import Envelope, Metadata, subject
from chassis.ids import new_id

ADDRESS = {"name": "Ada", "street": "Kai 1", "postcode": "24103", "city": "Kiel", "country": "DE"}
TOTAL = {"amount": 1998, "currency": "EUR"}


def envelope(
    event_type: str,
    payload: dict[str, Any],
    *,
    version: int = 1,
    correlation: str | None = None,
    cause: str | None = None,
) -> Envelope:
    """An event as its producer would have made it."""
    identity = new_id()
    correlation = correlation or identity
    metadata = Metadata(correlation_id=correlation, causation_id=cause or correlation)
    return Envelope(
        event_id=identity,
        event_type=event_type,
        event_version=version,
        timestamp=datetime.now(UTC),
        metadata=metadata,
        payload=payload,
    )


def placed(order: str, customer: str, **metadata: Any) -> Envelope:
    """A placed order."""
    items = [{"sku": "rope-01", "quantity": 2, "price": {"amount": 999, "currency": "EUR"}}]
    payload = {
        "orderId": order,
        "customer": customer,
        "saga": "choreographed",
        "items": items,
        "total": TOTAL,
        "address": ADDRESS,
    }
    return envelope("OrderPlaced", payload, **metadata)


def about(event_type: str, order: str, customer: str, *, version: int = 1, **fields: Any) -> Envelope:
    """Any other event of orders."""
    return envelope(event_type, {"orderId": order, "customer": customer, "total": TOTAL, **fields}, version=version)


def booked(order: str, code: str) -> Envelope:
    """A parcel that a carrier has taken on."""
    payload = {"orderId": order, "shipmentId": new_id(), "carrier": "Gull", "trackingCode": code}
    return envelope("ShipmentBooked", payload)


def publish(broker_url: str, events: Iterable[Envelope | bytes]) -> None:
    """Publish in this order, and wait until the broker has them. Bytes go where placed orders go.

    Without ids for the broker, so that it drops none: who reads has to see what came before.
    """

    async def run() -> None:
        client = await nats.connect(broker_url)
        try:
            jetstream = client.jetstream()
            for one in events:
                if isinstance(one, bytes):
                    await jetstream.publish(subject("OrderPlaced"), one)
                else:
                    await jetstream.publish(one.subject, one.to_bytes())
        finally:
            await client.close()

    asyncio.run(run())


def as_of(event: Envelope, **fields: Any) -> bytes:
    """An event with fields of its envelope changed beyond what the model lets through."""
    return json.dumps({**json.loads(event.to_bytes()), **fields}).encode()
