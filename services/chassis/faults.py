"""Faults on demand, so that tests can see timeouts, retries and breakers act. Off unless ``FAULTS=enabled``.

A caller sends ``x-fault`` and names the service that shall fail in ``x-fault-service``, or one pod of it; every service
hands both on, so a fault can be asked for anywhere along a chain of calls::

    x-fault: delay=500ms                  answer later
    x-fault: abort=503                    don't answer but with this error
    x-fault: delay=1s;abort=500           both
    x-fault: abort=503;once=some-key      fail the first try of the request with this key, let retries pass
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Self

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis import context
from chassis.durations import seconds
from chassis.problems import Problem
from chassis.telemetry import PROBES

_ATTEMPT: Final = "x-envoy-attempt-count"
_KEYS_REMEMBERED: Final = 10_000
_EXAMPLE: Final = "write it like delay=500ms, abort=503 or abort=503;once=my-key"


@dataclass(frozen=True, slots=True)
class Fault:
    """What was asked for: seconds of delay, a status to fail with, a key under which only the first try fails."""

    delay: float = 0.0
    abort: int | None = None
    once: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the header. Raises ``ValueError`` with the remedy."""
        parts: dict[str, str] = {}
        for part in text.split(";"):
            key, _, value = part.strip().partition("=")
            if key not in ("delay", "abort", "once") or not value or key in parts:
                raise ValueError(f"{part.strip()!r} in x-fault isn't understood: {_EXAMPLE}")
            parts[key] = value
        abort = parts.get("abort")
        if abort is not None and not (abort.isdecimal() and 400 <= int(abort) <= 599):
            raise ValueError(f"abort={abort} in x-fault isn't an error status from 400 to 599: {_EXAMPLE}")
        if "once" in parts and abort is None:
            raise ValueError(f"once in x-fault needs an abort beside it: {_EXAMPLE}")
        return cls(
            delay=seconds(parts["delay"]) if "delay" in parts else 0.0,
            abort=int(abort) if abort is not None else None,
            once=parts.get("once"),
        )


class FaultInjection:
    """ASGI middleware that does what ``x-fault`` asks of this service."""

    def __init__(self, app: ASGIApp, *, service: str, pod: str) -> None:
        self._app = app
        self._service = service
        self._names = {service, pod}
        self._seen: OrderedDict[str, None] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, later or with an error where that was asked for."""
        headers = Headers(scope=scope) if scope["type"] == "http" and scope["path"] not in PROBES else Headers()
        if headers.get(context.FAULT_SERVICE) not in self._names or context.FAULT not in headers:
            await self._app(scope, receive, send)
            return
        try:
            fault = Fault.parse(headers[context.FAULT])
        except ValueError as error:
            await Problem(400, str(error), kind="bad-fault").response(scope["path"])(scope, receive, send)
            return
        await asyncio.sleep(fault.delay)
        if fault.abort is None or (fault.once is not None and not self._first(fault.once, headers)):
            await self._app(scope, receive, send)
            return
        problem = Problem(fault.abort, f"{self._service} was asked to fail.", kind="injected-fault")
        await problem.response(scope["path"])(scope, receive, send)

    def _first(self, key: str, headers: Headers) -> bool:
        """Whether this is the first try. Its proxy counts tries, also those that went to other pods."""
        if headers.get(_ATTEMPT, "1") != "1" or key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > _KEYS_REMEMBERED:
            self._seen.popitem(last=False)
        return True
