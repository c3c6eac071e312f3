"""What is known about the request that is being served, for code that has no request in its hands.

The inbound layer writes it, the outbound client and the log formatter read it. It lives in a context variable, so each
request has its own and tasks that a handler starts share their request's.
"""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Final

from opentelemetry.trace import SpanContext

from chassis import identity
from chassis.ids import new_id

REQUEST_ID: Final = "x-request-id"
SERVED_BY: Final = "x-served-by"
DEADLINE: Final = "x-deadline-ms"
ENVOY_DEADLINE: Final = "x-envoy-expected-rq-timeout-ms"
FAULT: Final = "x-fault"
FAULT_SERVICE: Final = "x-fault-service"

PROPAGATED: Final = (FAULT, FAULT_SERVICE)
"""Headers that travel unchanged along a chain of calls. Trace context and baggage are OpenTelemetry's to carry."""
READ: Final = (REQUEST_ID, DEADLINE, ENVOY_DEADLINE, *PROPAGATED)
"""Headers that a request's context is made of, beside the caller's identity."""

_REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")
_MILLISECONDS: Final = re.compile(r"[0-9]{1,9}")


@dataclass(slots=True)
class RequestContext:
    """One request. ``deadline`` is on the monotonic clock, in seconds."""

    request_id: str
    deadline: float
    caller: str | None = None
    propagated: dict[str, str] = field(default_factory=dict)
    upstreams: list[str] = field(default_factory=list)
    span: SpanContext | None = None

    def remaining(self) -> float:
        """Seconds left for this request; zero or less when its time is over."""
        return self.deadline - time.monotonic()

    def reserve_upstream(self) -> int:
        """Take the next place in the chain of upstreams, so that it shows calls in the order they were made."""
        self.upstreams.append("")
        return len(self.upstreams) - 1


_current: ContextVar[RequestContext | None] = ContextVar("request", default=None)


def current() -> RequestContext | None:
    """The request being served, or None outside of one."""
    return _current.get()


def begin(headers: Mapping[str, str], *, timeout: float) -> RequestContext:
    """Start the context of a request from its headers; ``timeout`` in seconds is the most it may take."""
    request_id = headers.get(REQUEST_ID, "")
    if not _REQUEST_ID.fullmatch(request_id):
        request_id = new_id()
    context = RequestContext(
        request_id=request_id,
        deadline=time.monotonic() + _budget(headers, timeout),
        caller=identity.caller(headers.get(identity.HEADER)),
        propagated={name: value for name in PROPAGATED if (value := headers.get(name)) is not None},
    )
    _current.set(context)
    return context


@contextmanager
def resume(request_id: str, *, timeout: float) -> Iterator[RequestContext]:
    """Go on with what a request began, in a message that it led to: calls made here carry its id, and a deadline."""
    context = RequestContext(request_id=request_id, deadline=time.monotonic() + timeout)
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


@contextmanager
def prolong(timeout: float) -> Iterator[RequestContext | None]:
    """Work that may outlive the request being served: all that is known about it, but with a deadline of its own."""
    request = _current.get()
    token = _current.set(request and replace(request, deadline=time.monotonic() + timeout))
    try:
        yield _current.get()
    finally:
        _current.reset(token)


def _budget(headers: Mapping[str, str], timeout: float) -> float:
    """Seconds that the caller still waits, as far as it says so, and never more than our own limit."""
    for name in (DEADLINE, ENVOY_DEADLINE):
        value = headers.get(name)
        if value is not None and _MILLISECONDS.fullmatch(value) and 0 < (told := int(value) / 1000) < timeout:
            timeout = told
    return timeout
