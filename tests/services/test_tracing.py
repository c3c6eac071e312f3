"""With a collector, a request is one trace through all services, and what follows by events is linked to it."""

import json
import logging
from collections.abc import Iterator

import httpx
import pytest
from opentelemetry.context import Context, attach, detach
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from sqlalchemy import text

from chassis.broker import Broker
from chassis.database import Database
from chassis.events import Envelope, event
from chassis.logs import JsonFormatter
from chassis.settings import Settings
from support.awaiting import eventually as soon
from support.collector import Collector, collecting
from support.messaging import Worker, a_nats
from support.processes import Start
from support.waiting import eventually

SERVER, CLIENT = Span.SpanKind.SPAN_KIND_SERVER, Span.SpanKind.SPAN_KIND_CLIENT
PRODUCER, CONSUMER = Span.SpanKind.SPAN_KIND_PRODUCER, Span.SpanKind.SPAN_KIND_CONSUMER


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as server:
        yield server


def test_a_request_is_one_trace_from_the_gateway_to_the_catalog(collector: Collector, start: Start) -> None:
    catalog = start("catalog", **collector.environment)
    gateway = start("gateway", CATALOG_URL=catalog.url, **collector.environment)
    assert httpx.get(gateway.url + "/readyz").is_success
    assert httpx.get(gateway.url + "/api/v1/catalog/rope-01").is_success
    eventually(lambda: len(collector.spans) >= 3, within=20, every=0.05)

    assert len({span.trace_id for _, span in collector.spans}) == 1, "health has no traces"
    by_id = {span.span_id: (service, span) for service, span in collector.spans}
    [current] = [entry for entry in collector.spans if entry[0] == "catalog"]
    chain = [current]
    while current[1].parent_span_id:
        current = by_id[current[1].parent_span_id]
        chain.append(current)
    assert [(service, span.kind) for service, span in reversed(chain)] == [
        ("gateway", SERVER),
        ("gateway", CLIENT),
        ("catalog", SERVER),
    ]
    assert [span.name for _, span in chain if span.kind == SERVER] == [
        "GET /v1/products/{sku}",
        "GET /api/v1/catalog/{sku}",
    ]
    said = {one.key: one.value.string_value or one.value.int_value for one in chain[0][1].attributes}
    assert said == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/v1/products/{sku}",
        "url.path": "/v1/products/rope-01",
        "url.scheme": "http",
    }


@pytest.mark.parametrize("sampled", [True, False])
async def test_what_follows_from_an_event_is_a_trace_of_its_own_linked_to_where_it_happened(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, *, sampled: bool
) -> None:
    for name, value in collector.environment.items():
        monkeypatch.setenv(name, value)
    logged: list[str] = []
    database = Database(None)
    with a_nats() as nats:
        worker = Worker(nats)
        worker.telemetry.instrument_database(database.engine)
        await worker.broker.open()

        async def ship(envelope: Envelope) -> None:
            async with database.transaction() as session:
                await session.execute(text("SELECT 42"))
            logged.append(_as_logged("shipped"))
            await worker.keep(envelope)

        happened = await _place(worker.broker, worker, sampled=sampled)
        async with worker.consuming(ship):
            await soon(lambda: worker.handled, within=10)
        await worker.broker.close()
    await database.close()
    worker.telemetry.shutdown()

    assert json.loads(logged[0])["requestId"] == happened.metadata.correlation_id
    spans = {span.name: span for _, span in collector.spans}
    if not sampled:
        assert spans == {}, "all of what a click led to, or nothing"
        return
    request, publish, process = spans["POST"], spans["publish ShipmentFailed"], spans["process ShipmentFailed"]
    [statement] = [span for name, span in spans.items() if name.startswith("SELECT")]
    assert (publish.kind, process.kind) == (PRODUCER, CONSUMER)
    for linked in (publish, process):
        assert [(link.trace_id, link.span_id) for link in linked.links] == [(request.trace_id, request.span_id)]
    assert not process.parent_span_id
    assert process.trace_id != request.trace_id
    assert (statement.trace_id, statement.parent_span_id) == (process.trace_id, process.span_id)
    assert json.loads(logged[0])["traceId"] == process.trace_id.hex()


async def _place(broker: Broker, worker: Worker, *, sampled: bool) -> Envelope:
    """A request in which something happens, and what a relay does some time later."""
    caller = f"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0{int(sampled)}"
    scope = {"type": "http", "method": "POST", "scheme": "http", "path": "/v1/orders"}
    token = attach(Context())
    span = worker.telemetry.begin_request(scope, {"traceparent": caller})
    happened = event("ShipmentFailed", {"orderId": "o-1", "shipmentId": "s-1", "reason": "no carrier"})
    span.end()
    detach(token)
    await broker.session()
    await broker.publish(happened)
    return happened


def _as_logged(message: str) -> str:
    settings = Settings(SEATRIAL_SERVICE="orders")
    return JsonFormatter(settings).format(logging.LogRecord("test", logging.INFO, "", 0, message, None, None))
