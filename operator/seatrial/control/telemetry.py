"""What the operator tells of itself: a JSON line a fact, Prometheus metrics, and traces where an endpoint is set."""

import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import Counter, Gauge, Histogram

from seatrial import __version__

RECONCILES = Counter("seatrial_reconciles", "Passes of the reconciler by kind of key and result", ["kind", "result"])
DURATION = Histogram(
    "seatrial_reconcile_duration_seconds",
    "Time of one pass",
    ["kind"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
WRITES = Counter("seatrial_writes", "Writes to the API server by kind of object", ["kind"])
ERRORS = Counter("seatrial_errors", "Failures by kind, as the API server or a proxy gave them", ["failure"])
QUEUE_WAIT = Histogram(
    "seatrial_queue_wait_seconds",
    "Time from when a pass was due to when it began",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
LOOP_LAG = Histogram(
    "seatrial_loop_lag_seconds",
    "How much later than asked for the event loop wakes, ten times a second: it has one core, and all waits for it",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5),
)
QUEUE_DEPTH = Gauge("seatrial_queue_depth", "Keys that are due and not yet passed")
LEADER = Gauge("seatrial_leader", "1 while this process holds the Lease")

_tracer = trace.get_tracer("seatrial")
_key: ContextVar[str | None] = ContextVar("key", default=None)


class JsonLines(logging.Formatter):
    """One JSON object a line, with the key of the object whose pass wrote it."""

    def format(self, record: logging.LogRecord) -> str:
        """Time (RFC 3339, UTC), level, logger, message; the object's key; the traceback of an exception."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if key := _key.get():
            line["object"] = key
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line["trace_id"] = f"{span.trace_id:032x}"
        if record.exc_info and record.exc_info[1]:
            line["error"] = "".join(traceback.format_exception(record.exc_info[1]))
        return json.dumps(line, ensure_ascii=False)


def setup(role: str, *, environment: Mapping[str, str] = os.environ) -> None:
    """Logs to standard output at SEATRIAL_LOG_LEVEL (info); traces to OTEL_EXPORTER_OTLP_ENDPOINT where it is set."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(environment.get("SEATRIAL_LOG_LEVEL", "info").upper())
    for chatty in ("httpx", "httpx2", "httpcore", "aiohttp.access", "kopf.objects", "kopf.activities"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    if environment.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        resource = Resource.create({"service.name": f"seatrial-{role}", "service.version": __version__})
        provider = TracerProvider(resource=resource)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(provider)


@contextmanager
def reconciling(kind: str, key: str) -> Iterator[None]:
    """Names the object in every log line of the pass, measures the pass, and traces it."""
    token = _key.set(f"{kind} {key}")
    started = time.monotonic()
    result = "error"
    try:
        with _tracer.start_as_current_span(f"reconcile {kind}", attributes={"seatrial.key": key}):
            yield
        result = "ok"
    finally:
        _key.reset(token)
        DURATION.labels(kind).observe(time.monotonic() - started)
        RECONCILES.labels(kind, result).inc()
