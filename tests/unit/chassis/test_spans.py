"""What collectors are sent: the same as OpenTelemetry's own encoder would send, whatever a span has."""

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from chassis.spans import Exporter

RESOURCE = Resource.create({"service.name": "orders", "service.instance.id": "orders-1"}, "https://example.com/schema")
ELSEWHERE = SpanContext(0xABC, 0xDEF, True, TraceFlags(1), TraceState([("vendor", "ship")]))


@pytest.fixture
def spans() -> list[ReadableSpan]:
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("chassis", "1", "https://example.com/of-the-scope", {"scope": True})
    for kind in SpanKind:
        with tracer.start_as_current_span(f"of kind {kind.name}", kind=kind):
            tracer.start_span("its child").end()
    for value in (True, 1, 1.0, "1", b"1", ("a", "b"), (1, 2), ""):
        tracer.start_span("with a value", attributes={"value": value, "route": "/v1/orders"}).end()
    parent = set_span_in_context(NonRecordingSpan(ELSEWHERE))
    links = [Link(ELSEWHERE, {"why": "an event"}), Link(SpanContext(1, 2, is_remote=False))]
    span = tracer.start_span("of a caller", parent, links=links)
    span.add_event("met", {"number": 7})
    span.record_exception(ValueError("no such thing"))
    span.set_status(StatusCode.ERROR, "it failed")
    span.end()
    well = provider.get_tracer("another").start_span("went well")
    well.set_status(StatusCode.OK)
    well.end()
    return list(kept.get_finished_spans())


def test_it_says_what_the_encoder_of_opentelemetry_says(spans: list[ReadableSpan]) -> None:
    assert len(spans) > 15
    exporter = Exporter(RESOURCE)
    for _ in range(2):  # the second time attributes are known
        assert exporter.request(spans) == encode_spans(spans)
    for span in spans:
        assert exporter.request([span]) == encode_spans([span])
