"""Messages of a durable JetStream consumer, as many as one asks for and never more.

The client's own ``fetch`` waits until all that it asked for have come, or its time is over: with five workers free a
single message would wait for four others. Here a request for messages stays open while work goes on, and each message
is there as it arrives. The broker goes round among open requests, so a process with one open request, however many
messages it is for, takes its turn among the processes like any other.
"""

import json
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg

EXPIRES: Final = 5.0
"""Seconds that the broker keeps a request open."""
_MARGIN: Final = 2.0
_STATUS, _DESCRIPTION, _UNUSED = "Status", "Description", "Nats-Pending-Messages"
_HEARTBEAT, _NO_RESPONDERS = "100", "503"


class ConsumerGoneError(Exception):
    """The broker doesn't know the consumer any more, or isn't there."""


class Pull:
    """Open requests for messages of one consumer over one connection."""

    def __init__(self, client: Client, *, stream: str, consumer: str, on_arrival: Callable[[], object]) -> None:
        self._client = client
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._inbox = client.new_inbox()
        self._arrived: deque[Msg] = deque()
        self._stop_listening: Callable[[], Awaitable[None]] | None = None
        self._on_arrival = on_arrival
        self._asked = 0
        self._asked_at = 0.0
        self._gone: str | None = None

    async def open(self) -> None:
        """Begin to listen."""
        subscription = await self._client.subscribe(self._inbox, cb=self._receive)
        self._stop_listening = subscription.drain

    @property
    def outstanding(self) -> int:
        """Messages asked for that may still come. A request whose end was never told is over when its time is."""
        if self._asked and time.monotonic() > self._asked_at + EXPIRES + _MARGIN:
            self._asked = 0
        return self._asked

    @property
    def waiting(self) -> int:
        """Messages that came and that nobody has taken yet."""
        return len(self._arrived)

    def check(self) -> None:
        """Raise ``ConsumerGoneError`` when no message can come any more."""
        if self._client.is_closed:
            raise ConsumerGoneError("the connection is closed")
        if self._gone is not None:
            raise ConsumerGoneError(self._gone)

    async def ask(self, count: int) -> None:
        """Ask for that many more, in one request."""
        self._asked = self.outstanding + count
        self._asked_at = time.monotonic()
        request = {"batch": count, "expires": int(EXPIRES * 1e9)}
        await self._client.publish(self._next, json.dumps(request).encode(), self._inbox)

    def take(self) -> Msg:
        """The next of those that are waiting."""
        return self._arrived.popleft()

    async def close(self) -> list[Msg]:
        """Ask for nothing any more, and hand over what came and wasn't taken.

        The broker is told first and has answered when this returns, so nothing is on its way to nobody.
        """
        if self._stop_listening is not None and not self._client.is_closed:
            await self._stop_listening()
        return list(self._arrived)

    async def _receive(self, message: Msg) -> None:
        headers = message.headers or {}
        status = headers.get(_STATUS)
        if status is None or message.reply:
            self._asked = max(0, self._asked - 1)
            self._arrived.append(message)
            self._on_arrival()
            return
        if status == _HEARTBEAT:
            return
        self._asked = max(0, self._asked - int(headers.get(_UNUSED, "0")))
        description = headers.get(_DESCRIPTION, "")
        if status == _NO_RESPONDERS or "consumer deleted" in description.lower():
            self._gone = description or "nobody answers for the consumer"
