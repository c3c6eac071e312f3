"""What happens to every request around the application: its context, its log line, its metrics, its chain of servers.

It is the outermost layer, so that answers to bugs and unknown paths carry the same headers as all others.
"""

import logging
import time

from opentelemetry import trace
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import context
from chassis.lifecycle import Lifecycle
from chassis.metrics import UNMATCHED, Metrics
from chassis.problems import Problem
from chassis.settings import Settings
from chassis.telemetry import PROBES

_log = logging.getLogger("chassis.request")


class Inbound:
    """ASGI application around another."""

    def __init__(self, app: ASGIApp, *, settings: Settings, lifecycle: Lifecycle, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._lifecycle = lifecycle
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request = context.begin(headers, timeout=self._settings.request_timeout)
        answer = _Answer(request, self._settings.served_by, self._lifecycle, send)
        if scope["path"] in PROBES:
            await self._app(scope, receive, answer)
            return
        app: ASGIApp = self._app
        if int(headers.get("content-length", "0")) > self._settings.max_body:
            # FastAPI would refuse it too, but in plain text.
            detail = f"The body is too large: at most {self._settings.max_body} bytes."
            app = Problem(413, detail, kind="too-large", title="Content too large").response(scope["path"])
        started = time.perf_counter()
        self._lifecycle.begin_request()
        try:
            await app(scope, receive, answer)
        finally:
            self._lifecycle.end_request()
            self._record(scope, answer.status, time.perf_counter() - started, request)

    def _record(self, scope: Scope, status: int, seconds: float, request: context.RequestContext) -> None:
        method, route = scope["method"], getattr(scope.get("route"), "path", UNMATCHED)
        self._metrics.served(method=method, route=route, status=status, seconds=seconds)
        # The sidecar logs every request already; twice is for where there is none.
        if _log.isEnabledFor(level := logging.WARNING if status >= 500 else logging.DEBUG):
            extra = {
                "method": method,
                "route": route,
                "status": status,
                "milliseconds": round(seconds * 1000, 2),
                "caller": request.caller,
            }
            _log.log(level, "%s %s %d", method, route, status, extra=extra)


class _Answer:
    """The way back to the client: puts on the headers that every answer has, and remembers its status."""

    def __init__(self, request: context.RequestContext, served_by: str, lifecycle: Lifecycle, send: Send) -> None:
        self.status = 500  # what the server sends when the application sends nothing
        self._request = request
        self._served_by = served_by
        self._lifecycle = lifecycle
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            served_by = ", ".join([self._served_by, *filter(None, self._request.upstreams)])
            added = {context.REQUEST_ID: self._request.request_id, context.SERVED_BY: served_by}
            if self._lifecycle.draining:
                added["connection"] = "close"
            encoded = ((name.encode(), value.encode("latin-1")) for name, value in added.items())
            message["headers"] = [*message.get("headers", ()), *encoded]
            span = trace.get_current_span().get_span_context()
            if span.is_valid:
                self._request.trace_id = trace.format_trace_id(span.trace_id)
                self._request.span_id = trace.format_span_id(span.span_id)
        await self._send(message)
