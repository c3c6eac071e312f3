"""Calls to other services: a total deadline, the headers that travel along, one span, and an answer or a problem.

One try only. The mesh repeats what is safe to repeat, by the policy of the callee's MeshService, and it knows which
pods are failing. A breaker and a bulkhead are for callers that can do without the answer: they say at once that there
will be none. A breaker is per endpoint where the caller names one, since one that fails says little about the others.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import httpx

from chassis import context
from chassis.breaker import Attempt, Breaker
from chassis.bulkhead import Bulkhead
from chassis.metrics import Metrics
from chassis.problems import Problem
from chassis.telemetry import Telemetry

_log = logging.getLogger(__name__)

Query = Sequence[tuple[str, str | int]]

_LIMITS = httpx.Limits(max_connections=512, max_keepalive_connections=64)


class UpstreamUnavailable(Problem):
    """A service that this one needs gave no answer."""

    def __init__(self, upstream: str) -> None:
        super().__init__(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"{upstream} could not be reached. Try again in a moment.",
            kind="upstream-unavailable",
            title="Upstream unavailable",
            headers={"retry-after": "1"},
            upstream=upstream,
        )


class UpstreamTimeout(Problem):
    """A service that this one needs took longer than there was time."""

    def __init__(self, upstream: str) -> None:
        super().__init__(
            HTTPStatus.GATEWAY_TIMEOUT,
            f"{upstream} did not answer in the time that this request had. Try again, or allow more time.",
            kind="upstream-timeout",
            title="Upstream timeout",
            upstream=upstream,
        )


@dataclass(frozen=True, slots=True)
class Guards:
    """What may refuse a call before it is made: a breaker per endpoint, found by its name, and a bulkhead for all."""

    breaker: Callable[[str], Breaker] | None = None
    bulkhead: Bulkhead | None = None


_FAIR_SECONDS: Final = 1.0
"""A call that had less time than this and wasn't answered says nothing about the other side: whoever asks with a
deadline of a millisecond must not open the breaker for all."""


class Upstream:
    """Another service, by its name and base URL."""

    def __init__(  # noqa: PLR0913 - what it is, and what of the service it uses
        self,
        name: str,
        base_url: str,
        *,
        timeout: float,
        metrics: Metrics,
        telemetry: Telemetry,
        guards: Guards | None = None,
    ) -> None:
        self.name = name
        self._guards = guards or Guards()
        self._timeout = timeout
        self._metrics = metrics
        self._telemetry = telemetry
        self._way: httpx.AsyncBaseTransport = httpx.AsyncHTTPTransport(limits=_LIMITS, trust_env=False)
        self._client = httpx.AsyncClient(base_url=base_url, timeout=None, transport=self._way, trust_env=False)  # noqa: S113 - see request

    async def request(  # noqa: PLR0913 - what a request consists of
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        endpoint: str = "",
    ) -> httpx.Response:
        """Ask and return whatever the service answers, errors included.

        The call gets what is left of the time of the request being served. Raises ``UpstreamUnavailable`` and
        ``UpstreamTimeout`` when there is no answer; ``Open`` and ``Full`` when there is a breaker or a bulkhead and the
        call wasn't made. ``endpoint`` names what is called, for a breaker of its own.
        """
        request = context.current()
        remaining = request.remaining() if request else self._timeout
        if remaining <= 0:
            raise UpstreamTimeout(self.name)
        place = request.reserve_upstream() if request else 0
        call = self._client.build_request(
            method,
            path,
            params=httpx.QueryParams(list(query)),
            content=content,
            # Servers read header bytes as Latin-1, so that is how they are handed on.
            headers=httpx.Headers({**(headers or {}), **_travelling(request, remaining)}, encoding="latin-1"),
        )
        async with self._guards.bulkhead or nullcontext():
            with self._attempt(endpoint) as attempt:
                response = await self._exchange(call, remaining, attempt)
        if request:
            request.upstreams[place] = response.headers.get(context.SERVED_BY, "")
        return response

    def _attempt(self, endpoint: str) -> AbstractContextManager[Attempt]:
        if self._guards.breaker is None:
            return nullcontext(Attempt(0))
        return self._guards.breaker(f"{self.name} {endpoint}".rstrip()).attempt()

    async def _exchange(self, call: httpx.Request, remaining: float, attempt: Attempt) -> httpx.Response:
        started, outcome = time.perf_counter(), "cancelled"
        span = self._telemetry.begin_call(call)
        try:
            async with asyncio.timeout(remaining):
                # Not by the client, which would see to redirects, cookies and credentials: inside there are none.
                response = await self._way.handle_async_request(call)
                response.request = call
                await response.aread()
            outcome = str(response.status_code)
        except TimeoutError as error:
            outcome = "timeout"
            if remaining < min(_FAIR_SECONDS, self._timeout):
                attempt.abstain()
            raise UpstreamTimeout(self.name) from error
        except httpx.TransportError as error:
            outcome = "unreachable"
            _log.warning("call failed", extra={"upstream": self.name, "cause": repr(error)})
            raise UpstreamUnavailable(self.name) from error
        finally:
            seconds = time.perf_counter() - started
            self._telemetry.end_call(span, call, outcome)
            self._metrics.called(upstream=self.name, method=call.method, outcome=outcome, seconds=seconds)
        if response.is_server_error or response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            attempt.fail()
        return response

    async def get_json(self, path: str, *, query: Query = ()) -> Any:  # noqa: ANN401 - JSON is anything
        """GET a JSON document. Raises a ``Problem`` where there is none."""
        response = await self.request("GET", path, query=query)
        if not response.is_success:
            raise relayed(self.name, response)
        try:
            return response.json()
        except ValueError as error:
            raise Problem(502, f"{self.name} answered with something that isn't JSON.", upstream=self.name) from error

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()


def relayed(upstream: str, response: httpx.Response) -> Problem:
    """An upstream's failure as a problem of our own: its status, and that it wasn't us.

    A bug upstream (500 and the like) is 502 here, because this service itself is well.
    """
    passed_on = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
    failed = response.is_server_error and response.status_code not in passed_on
    return Problem(
        HTTPStatus.BAD_GATEWAY if failed else response.status_code,
        f"{upstream} answered {response.status_code}.",
        kind="upstream-error",
        title="Upstream error",
        upstream=upstream,
        upstreamStatus=response.status_code,
    )


def _travelling(request: context.RequestContext | None, remaining: float) -> dict[str, str]:
    deadline = {context.DEADLINE: str(max(1, int(remaining * 1000)))}
    if request is None:
        return deadline
    return {**request.propagated, context.REQUEST_ID: request.request_id, **deadline}
