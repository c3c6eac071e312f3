"""Faults on demand, so that tests can see timeouts, retries, breakers and rollouts act. Off unless ``FAULTS=enabled``.

A caller sends ``x-fault`` and names the service that shall fail in ``x-fault-service``, or one pod of it; every service
hands both on, so a fault can be asked for anywhere along a chain of calls::

    x-fault: delay=500ms                  answer later
    x-fault: abort=503                    don't answer but with this error
    x-fault: delay=1s;abort=500           both
    x-fault: abort=500;percent=30         so many of the requests, drawn anew for each
    x-fault: abort=503;once=some-key      fail the first try of the request with this key, let retries pass

The same text in the variable ``FAULT`` acts on every request of a pod, but never on the platform's: so a template is
broken by its environment alone. A fault that a caller asks for takes its place.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis import context
from chassis.fault import Fault
from chassis.problems import Problem
from chassis.telemetry import PROBES

_ATTEMPT: Final = "x-envoy-attempt-count"
_KEYS_REMEMBERED: Final = 10_000


class FaultInjection:
    """ASGI middleware that does what ``x-fault`` asks of this service, or what ``always`` asks of each request."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        service: str,
        pod: str,
        always: Fault | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._app = app
        self._service = service
        self._names = {service, pod}
        self._always = always
        self._draw = draw
        self._seen: OrderedDict[str, None] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, later or with an error where that was asked for."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            fault = self._asked(headers)
        except ValueError as error:
            await Problem(400, f"x-fault: {error}", kind="bad-fault").response(scope["path"])(scope, receive, send)
            return
        if fault is None or not fault.strikes(self._draw()):
            await self._app(scope, receive, send)
            return
        await asyncio.sleep(fault.delay)
        if fault.abort is None or (fault.once is not None and not self._first(fault.once, headers)):
            await self._app(scope, receive, send)
            return
        problem = Problem(fault.abort, f"{self._service} was asked to fail.", kind="injected-fault")
        await problem.response(scope["path"])(scope, receive, send)

    def _asked(self, headers: Headers) -> Fault | None:
        if headers.get(context.FAULT_SERVICE) in self._names and context.FAULT in headers:
            return Fault.parse(headers[context.FAULT])
        return self._always

    def _first(self, key: str, headers: Headers) -> bool:
        """Whether this is the first try. Its proxy counts tries, also those that went to other pods."""
        if headers.get(_ATTEMPT, "1") != "1" or key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > _KEYS_REMEMBERED:
            self._seen.popitem(last=False)
        return True
