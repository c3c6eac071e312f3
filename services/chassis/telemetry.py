"""OpenTelemetry: spans for requests and calls, trace context from hop to hop, export only where there is a collector.

Without a collector a service still gives every request a trace id for its logs and hands on what it was given, but
decides to sample nothing itself, which costs next to nothing. A caller's decision to sample is kept either way.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
from opentelemetry.context import Context, attach
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    StatusCode,
    TraceState,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.util.types import Attributes
from starlette.types import Scope

from chassis.events import Envelope
from chassis.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

PROBES = frozenset({"/livez", "/readyz", "/metrics"})
"""Paths that the platform asks for: no traces, no request logs, no faults."""
_PORTS = {"http": 80, "https": 443}
TRACE_HEADERS = frozenset({"traceparent", "tracestate", "baggage"})


class Telemetry:
    """Tracing of one process."""

    def __init__(self, settings: Settings) -> None:
        resource = Resource.create(
            {
                "service.name": settings.service,
                "service.version": settings.revision,
                "service.namespace": settings.namespace,
                "service.instance.id": settings.pod,
            }
        )
        self._exports = settings.otlp_endpoint is not None
        if not self._exports:
            self._provider = TracerProvider(resource=resource, sampler=ParentBased(ALWAYS_OFF))
        else:
            # Heavy to import (protobuf, requests), and most pods of a test cluster have no collector.
            from chassis.spans import Exporter  # noqa: PLC0415

            self._provider = TracerProvider(resource=resource)
            self._provider.sampler = _FollowsLinks(self._provider.sampler)
            self._provider.add_span_processor(BatchSpanProcessor(Exporter(resource)))
        self._tracer = self._provider.get_tracer("chassis")

    def begin_request(self, scope: Scope, headers: Mapping[str, str]) -> Span:
        """Begin the span of a request and make it the current one of this task, which is the request's own.

        FastAPI's own tracing does more than is asked for here, and costs a request as much as all of the application.
        """
        context = extract(headers) if not TRACE_HEADERS.isdisjoint(headers) else Context()
        span = self._tracer.start_span(scope["method"], context, SpanKind.SERVER)
        attach(set_span_in_context(span, context))
        return span

    def end_request(self, span: Span, scope: Scope, route: str, status: int) -> None:
        """End the span of a request that had this answer. All that is known of it is set at once: each time costs."""
        if span.is_recording():
            method = scope["method"]
            span.set_attributes(
                {
                    "http.request.method": method,
                    "http.route": route,
                    "http.response.status_code": status,
                    "url.path": scope["path"],
                    "url.scheme": scope["scheme"],
                }
            )
            span.update_name(f"{method} {route}")
            if status >= 500:
                span.set_attribute("error.type", str(status))
                span.set_status(StatusCode.ERROR)
        span.end()

    def begin_call(self, call: httpx.Request) -> Span:
        """Begin the span of a call, and let its trace travel with it."""
        span = self._tracer.start_span(call.method, kind=SpanKind.CLIENT)
        inject(call.headers, set_span_in_context(span))
        return span

    def end_call(self, span: Span, call: httpx.Request, outcome: str) -> None:
        """End the span of a call. ``outcome`` is a status code, or why there was none."""
        if span.is_recording():
            url = call.url
            span.set_attributes(
                {
                    "http.request.method": call.method,
                    "server.address": url.host,
                    "server.port": url.port or _PORTS[url.scheme],
                    "url.full": str(url),
                }
            )
            if outcome.isdigit():
                span.set_attribute("http.response.status_code", int(outcome))
            if not outcome.isdigit() or int(outcome) >= 400:
                span.set_attribute("error.type", outcome)
                span.set_status(StatusCode.ERROR)
        span.end()

    def instrument_database(self, engine: "AsyncEngine") -> None:
        """Give statements of an engine their spans, if spans go anywhere: those of a statement travel with no call."""
        if not self._exports:
            return
        from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor  # noqa: PLC0415 - only where there is one

        # Its declared range ends below SQLAlchemy 2.1; the events that it listens to are the same there.
        SQLAlchemyInstrumentor().instrument(
            engine=engine.sync_engine, tracer_provider=self._provider, skip_dep_check=True
        )

    @contextmanager
    def publishing(self, envelope: Envelope) -> Iterator[None]:
        """The span of publishing an event, linked to where it happened: that may be long ago, in another process."""
        with self._tracer.start_as_current_span(
            f"publish {envelope.event_type}",
            kind=SpanKind.PRODUCER,
            links=_link(envelope),
            attributes=_of_message(envelope, "send"),
        ):
            yield

    @contextmanager
    def handling(self, envelope: Envelope, consumer: str) -> Iterator[Span]:
        """The span of handling an event: the root of a trace of its own, linked to where the event happened.

        Linked and not its child: one event has many handlers, some hours later, and a trace of all of them would never
        end. A handler fails without an exception that leaves this block, so it says so on the span.
        """
        with self._tracer.start_as_current_span(
            f"process {envelope.event_type}",
            context=Context(),
            kind=SpanKind.CONSUMER,
            links=_link(envelope),
            attributes={**_of_message(envelope, "process"), "messaging.consumer.group.name": consumer},
        ) as span:
            yield span

    def shutdown(self) -> None:
        """Send what is left. Blocks for as long as the exporter's timeout."""
        self._provider.shutdown()


class _FollowsLinks(Sampler):
    """A trace that begins with an event is kept when the one is in which it happened: all of a click, or nothing."""

    def __init__(self, otherwise: Sampler) -> None:
        self._otherwise = otherwise

    def should_sample(  # noqa: PLR0913, PLR0917 - as the SDK calls it
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        decides = self._otherwise
        if links and not get_current_span(parent_context).get_span_context().is_valid:
            decides = ALWAYS_ON if any(link.context.trace_flags.sampled for link in links) else ALWAYS_OFF
        return decides.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        return f"FollowsLinks({self._otherwise.get_description()})"


def _link(envelope: Envelope) -> list[Link]:
    happened = envelope.span_context
    return [Link(happened)] if happened else []


def _of_message(envelope: Envelope, operation: str) -> dict[str, str]:
    """Attributes of a message by OpenTelemetry's semantic conventions of messaging."""
    return {
        "messaging.system": "nats",
        "messaging.destination.name": envelope.subject,
        "messaging.operation.type": operation,
        "messaging.message.id": envelope.event_id,
        "messaging.message.conversation_id": envelope.metadata.correlation_id,
    }
