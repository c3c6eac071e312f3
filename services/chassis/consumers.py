"""Handling events: at least once, a few at a time, and what can't be handled ends among the dead letters.

A message is acknowledged when its handler has returned, so after the handler's transaction; a process that dies in
between gets it again, which is why handlers use the inbox. The broker hands out no more than there are free workers
(backpressure), and what was handed out to a process that ends is finished or given back.

What becomes of a message whose handler fails depends on what the failure says:

- ``Poison``, or bytes that are no event: nobody will ever handle it. To the dead letters at once.
- A database, broker or service that isn't there: nothing about the message. It comes again, as often as it takes, and
  this counts for nothing.
- Anything else may be the message's fault or not: it comes again, and to the dead letters after ``deliveries`` times.

A process that its message kills says nothing: ``chassis.begun`` sees to it that it doesn't come for ever.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from opentelemetry.trace import StatusCode

from chassis import context
from chassis.begun import Begun, FatalError, Tries
from chassis.broker import Broker, BrokerUnavailableError
from chassis.dead_letters import bury
from chassis.events import Envelope, MalformedError
from chassis.message_metrics import MessageMetrics
from chassis.problems import Problem
from chassis.retry import Backoff, wait_before
from chassis.telemetry import Telemetry

_log = logging.getLogger(__name__)

Handler = Callable[[Envelope], Awaitable[None]]

_LONGEST_WAIT = 30.0
_LONGEST_OUTAGE_WAIT = 5.0
"""Seconds after which a message comes again at the latest, when it failed for want of something that was out."""
_LONGEST_REST = 1.0
_OUT_OF_ORDER = frozenset({429, 503, 504})


class Poison(Exception):  # noqa: N818 - what such a message is called
    """This message can't be handled, now or ever. The text tells why, to who reads the dead letters."""


@dataclass(frozen=True, slots=True)
class Consumption:
    """What is consumed, and how. ``timeout`` is in seconds and for one message."""

    name: str
    subjects: Sequence[str]
    handler: Handler
    deliveries: int = 5
    pending: int = 64
    workers: int = 8
    timeout: float = 30.0


class Handling:
    """Handles one message after another of a consumption, and settles each with the broker."""

    def __init__(self, what: Consumption, *, broker: Broker, metrics: MessageMetrics, telemetry: Telemetry) -> None:
        self._what = what
        self._broker = broker
        self._metrics = metrics
        self._telemetry = telemetry
        self._begun = Begun(broker, what.name)
        self._outage = Backoff(cap=_LONGEST_REST)

    async def handle(self, message: Msg) -> None:
        """Handle a message and tell the broker what came of it. Given back when this is cancelled."""
        try:
            envelope = Envelope.from_bytes(message.data)
        except MalformedError as error:
            with self._metrics.handling(self._what.name, "malformed") as outcome:
                outcome.name = await self._bury(message, f"malformed: {error}", None)
            return
        with (
            self._metrics.handling(self._what.name, envelope.event_type) as outcome,
            self._telemetry.handling(envelope, self._what.name) as span,
            context.resume(envelope.metadata.correlation_id, timeout=self._what.timeout),
        ):
            outcome.name = "given back"
            try:
                failure, failed = await self._tried(message, envelope)
                outcome.name = await self._settle(message, envelope, failure, failed)
            except asyncio.CancelledError:
                await give_back(message)
                raise
            if failure is not None:
                span.record_exception(failure)
                span.set_status(StatusCode.ERROR, repr(failure))
        if outcome.name == "waits":
            await asyncio.sleep(self._outage.next())  # what is out isn't asked at full speed
        else:
            self._outage.reset()

    async def _tried(self, message: Msg, envelope: Envelope) -> tuple[Exception | None, int]:
        """What the handler fails with, or what keeps it from being called; and how often it has failed so far."""
        tries = Tries()
        try:
            async with self._begun.trying(message) as tries:
                failure = await self._failure(envelope)
                if failure is None:
                    tries.failed = 0
                elif not isinstance(failure, Poison) and not is_outage(failure):
                    tries.failed += 1
        except (FatalError, BrokerUnavailableError) as error:
            failure = error
        return failure, tries.failed

    async def _failure(self, envelope: Envelope) -> Exception | None:
        try:
            with context.prolong(self._what.timeout):
                async with asyncio.timeout(self._what.timeout) as limit:
                    await self._what.handler(envelope)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises decides about its message, not about the process
            if limit.expired():
                return HandlerTooSlowError(f"not handled within {self._what.timeout:g} s")
            return error
        return None

    async def _settle(self, message: Msg, envelope: Envelope, error: Exception | None, failed: int) -> str:
        if error is None:
            await _tell(message.ack())
            return "handled"
        delivered = message.metadata.num_delivered
        what = {"consumer": self._what.name, "event": envelope.event_type, "eventId": envelope.event_id}
        if is_outage(error):
            _log.warning("something is out", extra={**what, "cause": repr(error), "delivered": delivered})
            await _again(message, delivered, cap=_LONGEST_OUTAGE_WAIT)
            return "waits"
        if isinstance(error, Poison | FatalError) or failed >= self._what.deliveries:
            _log.error("to the dead letters", extra={**what, "delivered": delivered}, exc_info=error)
            return await self._bury(message, f"{type(error).__name__}: {error}", envelope.event_id)
        _log.warning("not handled", extra={**what, "delivered": delivered}, exc_info=error)
        await _again(message, failed, cap=_LONGEST_WAIT)
        return "failed"

    async def _bury(self, message: Msg, cause: str, event_id: str | None) -> str:
        try:
            await bury(self._broker, message, consumer=self._what.name, cause=cause, event_id=event_id)
        except BrokerUnavailableError as error:
            _log.warning("not among the dead letters yet", extra={"consumer": self._what.name, "cause": str(error)})
            await _again(message, message.metadata.num_delivered, cap=_LONGEST_OUTAGE_WAIT)
            return "waits"
        await _tell(message.term())
        return "dead"


class HandlerTooSlowError(Exception):
    """A handler took longer than a message may take."""


def is_outage(error: Exception) -> bool:
    """Whether a failure says that something is out, and nothing about the message."""
    if isinstance(error, Problem):
        return error.status in _OUT_OF_ORDER
    return isinstance(error, OSError | BrokerUnavailableError)


async def give_back(message: Msg) -> None:
    """Let another process have it, now."""
    await _tell(message.nak())


async def _again(message: Msg, delivered: int, *, cap: float) -> None:
    await _tell(message.nak(delay=wait_before(delivered - 1, cap=cap, draw=random.random)))


async def _tell(telling: Awaitable[None]) -> None:
    """Tell the broker about a message. Where it can't be told, it hands the message out again by itself."""
    try:
        await telling
    except NatsError as error:
        _log.debug("the broker could not be told about a message", extra={"cause": repr(error)})
