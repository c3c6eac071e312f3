"""Logs as one JSON object a line on standard output, each with the request and the trace it belongs to."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final

from opentelemetry import trace

from chassis import context
from chassis.settings import Settings

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class JsonFormatter(logging.Formatter):
    """Formats a record with everything that was given as ``extra``."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._process = {"service": settings.service, "revision": settings.revision, "pod": settings.pod}

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._process,
            **_origin(),
        }
        entry.update((key, value) for key, value in vars(record).items() if key not in _STANDARD)
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


def _origin() -> dict[str, str]:
    """Ids of the request and trace at hand. After its span has ended, a request still knows what they were."""
    origin = {}
    request = context.current()
    if request is not None:
        origin["requestId"] = request.request_id
    span = trace.get_current_span().get_span_context()
    if not span.is_valid and request is not None and request.span is not None:
        span = request.span
    if span.is_valid:
        origin |= {"traceId": trace.format_trace_id(span.trace_id), "spanId": trace.format_span_id(span.span_id)}
    return origin


def configure(settings: Settings) -> None:
    """Send all logs of the process to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(settings))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for noisy in ("alembic.runtime.plugins", "asyncio", "httpcore", "httpx", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
