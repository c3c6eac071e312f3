"""With a collector, one order is one trace through all services; without one nothing leaves the process."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from chassis.local import shop
from support.waiting import eventually

SERVER, CLIENT = Span.SpanKind.SPAN_KIND_SERVER, Span.SpanKind.SPAN_KIND_CLIENT


class Collector(ThreadingHTTPServer):
    """Takes spans over OTLP/HTTP and keeps them, with the service that they are of."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[tuple[str, Span]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert self.path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            [service] = [a.value.string_value for a in resource.resource.attributes if a.key == "service.name"]
            self.server.spans += [(service, span) for scope in resource.scope_spans for span in scope.spans]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_an_order_is_one_trace_from_the_gateway_to_the_catalog(collector: Collector) -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    with shop(env=environment, quiet=True) as processes:
        url = processes["gateway"].url
        order = {"customer": "ada", "items": [{"sku": "rope-01", "quantity": 1}]}
        assert httpx.get(url + "/readyz").is_success
        assert httpx.post(url + "/api/v1/orders", json=order).status_code == 201
        eventually(lambda: len(collector.spans) >= 5, within=10, every=0.05)

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
        ("orders", SERVER),
        ("orders", CLIENT),
        ("catalog", SERVER),
    ]
    assert [span.name for _, span in chain if span.kind == SERVER] == [
        "GET /v1/products",
        "POST /v1/orders",
        "POST /api/v1/orders",
    ]
