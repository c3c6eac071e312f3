"""The way to the bank, as the ambassador goes it: credentials, a pool, a time limit, retries, a breaker, and an audit.

Asking again is safe, for each wish has its reference. What fails counts for the breaker try by try; what it refuses
isn't tried again.
"""

import asyncio
import base64
import logging
import time
from typing import Final

import httpx

from chassis.breaker import Breaker
from chassis.outbound import Query, Upstream, relayed
from chassis.problems import Problem
from chassis.retry import retry
from payments.bank import legacy
from payments.bank.messages import Answer, Ask, NoAnswerError

_log = logging.getLogger("payments.audit")

_CONTENT_TYPE: Final = f"text/plain; charset={legacy.ENCODING}"


class Connection:
    """Asks the bank. ``timeout`` is in seconds for one try; the upstream has the pool."""

    def __init__(
        self, upstream: Upstream, breaker: Breaker, *, credentials: str, timeout: float, attempts: int
    ) -> None:
        self._upstream = upstream
        self._breaker = breaker
        self._authorization = "Basic " + base64.b64encode(credentials.encode()).decode()
        self._timeout = timeout
        self._attempts = attempts

    async def ask(self, ask: Ask) -> Answer:
        """What the bank says. Raises ``Open``, ``Full``, ``TimeoutError``, ``NoAnswerError`` or a ``Problem``."""
        content = legacy.write(ask).encode(legacy.ENCODING)
        tries = 0

        async def once() -> Answer:
            nonlocal tries
            tries += 1
            started, outcome = time.perf_counter(), "cancelled"
            try:
                answer = legacy.answer_to(ask, await self._exchange("POST", "/gateway", content=content))
                outcome = answer.verdict
            except Exception as error:
                outcome = type(error).__name__
                raise
            finally:
                self._audit(ask, tries, outcome, time.perf_counter() - started)
            return answer

        return await retry(once, attempts=self._attempts, retryable=_may_pass)

    async def statement(self, *, after: str) -> list[Ask]:
        """What the bank has booked, by reference, behind one. Raises as ``ask`` does."""
        text = await self._exchange("GET", "/statement", query=[("after", after)])
        return [ask for ask, _ in legacy.read(text)]

    async def _exchange(self, method: str, path: str, *, content: bytes | None = None, query: Query = ()) -> str:
        with self._breaker.attempt():
            async with asyncio.timeout(self._timeout):
                headers = {"authorization": self._authorization, "content-type": _CONTENT_TYPE}
                response = await self._upstream.request(method, path, query=query, content=content, headers=headers)
            if response.status_code != httpx.codes.OK:
                raise relayed("bank", response)
        return response.content.decode(legacy.ENCODING)

    def _audit(self, ask: Ask, count: int, outcome: str, seconds: float) -> None:
        """A line for each time the bank was asked, or would have been. Credentials are in none."""
        extra = {
            "wish": ask.wish,
            "reference": ask.reference,
            "amount": ask.money.amount,
            "currency": ask.money.currency,
            "try": count,
            "outcome": outcome,
            "milliseconds": round(seconds * 1000, 1),
            "breaker": self._breaker.state,
        }
        _log.info("bank asked", extra=extra)


def _may_pass(error: Exception) -> bool:
    """Whether another try may go better: not when the breaker or the pool refuses, nor when the bank refuses us."""
    if isinstance(error, Problem):
        return error.status >= httpx.codes.INTERNAL_SERVER_ERROR and error.kind not in {"circuit-open", "bulkhead-full"}
    return isinstance(error, TimeoutError | NoAnswerError)
