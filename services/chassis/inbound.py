"""What happens to every request around the application: its context, its log line, its metrics, its chain of servers.

It is the outermost layer, so that answers to bugs and unknown paths carry the same headers as all others.
"""

import logging
import time
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import context, identity
from chassis.lifecycle import Lifecycle
from chassis.metrics import UNMATCHED, Metrics
from chassis.problems import Problem
from chassis.settings import Settings
from chassis.telemetry import PROBES, TRACE_HEADERS, Telemetry

_log = logging.getLogger("chassis.request")

_NAMES: Final = (*context.READ, *TRACE_HEADERS, identity.HEADER, "content-length", "transfer-encoding")
_READ: Final = {name.encode(): name for name in _NAMES}
"""Headers that are read here. All are picked in one pass, for a request through a sidecar has a dozen more."""
_REQUEST_ID: Final = context.REQUEST_ID.encode()
_SERVED_BY: Final = context.SERVED_BY.encode()


class Inbound:
    """ASGI application around another."""

    def __init__(
        self, app: ASGIApp, *, settings: Settings, lifecycle: Lifecycle, metrics: Metrics, telemetry: Telemetry
    ) -> None:
        self._app = app
        self._timeout = settings.request_timeout
        self._max_body = settings.max_body
        self._served_by = settings.served_by
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = _picked(scope)
        request = context.begin(headers, timeout=self._timeout)
        answer = _Answer(request, self._served_by, self._lifecycle, send)
        if scope["path"] in PROBES:
            await self._app(scope, receive, answer)
            return
        app: ASGIApp = self._app
        if int(headers.get("content-length", "0")) > self._max_body:
            app = Problem(413, _too_large(self._max_body)).response(scope["path"])
        elif "transfer-encoding" in headers:
            receive = _Counted(receive, self._max_body)
        started = time.perf_counter()
        self._lifecycle.begin_request()
        span = self._telemetry.begin_request(scope, headers)
        request.span = span.get_span_context()
        try:
            await app(scope, receive, answer)
        except Exception as error:
            span.record_exception(error)
            raise
        finally:
            self._lifecycle.end_request()
            route = getattr(scope.get("route"), "path", UNMATCHED)
            self._telemetry.end_request(span, scope, route, answer.status)
            self._record(scope["method"], route, answer.status, time.perf_counter() - started, request)

    def _record(self, method: str, route: str, status: int, seconds: float, request: context.RequestContext) -> None:
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


def _picked(scope: Scope) -> dict[str, str]:
    """The headers that are read here; the first of a name counts."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        if name in _READ:
            found.setdefault(_READ[name], value.decode("latin-1"))
    return found


class _Counted:
    """The way in for a body that doesn't say how long it is. FastAPI's own limit would count at three layers."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._most = most
        self._left = most

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise HTTPException(413, _too_large(self._most))  # no other exception gets through FastAPI from here
        return message


def _too_large(most: int) -> str:
    return f"The body is too large: at most {most} bytes."


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
            headers = [
                *message.get("headers", ()),
                (_REQUEST_ID, self._request.request_id.encode()),
                (_SERVED_BY, served_by.encode("latin-1")),
            ]
            if self._lifecycle.draining:
                headers.append((b"connection", b"close"))
            message["headers"] = headers
        await self._send(message)
