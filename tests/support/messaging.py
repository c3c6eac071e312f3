"""Consumers as a service has them, in the test's own loop, on a NATS of the test's own."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, generate_latest

from chassis.broker import Broker
from chassis.consumers import Consumption, Handler
from chassis.consuming import Consumer
from chassis.events import Envelope, event
from chassis.local_data import Nats
from chassis.message_metrics import MessageMetrics
from chassis.settings import Settings
from chassis.share import Share
from chassis.telemetry import Telemetry

ALL = ["shop.shipping.>"]


@contextmanager
def a_nats() -> Iterator[Nats]:
    """A NATS server of one's own."""
    with TemporaryDirectory() as folder:
        server = Nats(Path(folder) / "nats")
        server.start()
        try:
            yield server
        finally:
            server.kill()


def happened(reason: str = "the carrier is on strike", **payload: Any) -> Envelope:
    """Some event."""
    return event("ShipmentFailed", {"orderId": "o-1", "shipmentId": "s-1", "reason": reason, **payload})


class Addressed(Protocol):
    """A broker that has a URL, whoever runs it."""

    @property
    def url(self) -> str: ...


class Worker:
    """A process of a service as far as events are concerned."""

    def __init__(self, nats: Addressed, *, service: str = "orders", annotations: Path | None = None) -> None:
        settings = Settings(SEATRIAL_SERVICE=service)
        self.telemetry = Telemetry(settings)
        self.broker = Broker(nats.url, service=service, telemetry=self.telemetry)
        self.handled: list[Envelope] = []
        self.share = Share(annotations or Path("/nonexistent"))
        self._registry = CollectorRegistry()
        self._metrics = MessageMetrics(self._registry)

    async def keep(self, envelope: Envelope) -> None:
        """The handler that only remembers."""
        self.handled.append(envelope)

    def consumer(self, handler: Handler | None = None, **how: Any) -> Consumer:
        """A consumer of this process."""
        return Consumer(
            Consumption(how.pop("name", "test"), how.pop("subjects", ALL), handler or self.keep, **how),
            broker=self.broker,
            share=self.share,
            metrics=self._metrics,
            telemetry=self.telemetry,
        )

    @asynccontextmanager
    async def consuming(self, handler: Handler | None = None, **how: Any) -> AsyncIterator[asyncio.Event]:
        """Consume in this block; the event that is given ends it before."""
        stopping = asyncio.Event()
        running = asyncio.create_task(self.consumer(handler, **how).run(stopping))
        try:
            yield stopping
        finally:
            stopping.set()
            await running

    def count(self, outcome: str) -> int:
        """Messages that had this outcome."""
        text = generate_latest(self._registry).decode()
        found = re.findall(rf'^messages_total{{.*outcome="{outcome}"}} ([0-9.]+)$', text, re.MULTILINE)
        return round(sum(map(float, found)))

    def lag(self) -> int:
        """What `/metrics` says waits."""
        return round(self._registry.get_sample_value("consumer_lag", {"consumer": "test"}) or 0)
