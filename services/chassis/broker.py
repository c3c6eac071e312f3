"""The connection to NATS JetStream, which comes back by itself, and publishing that waits until an event is kept.

A connection that is lost isn't mended but replaced: everything that was built on it ends with an error and is built
anew on the next one, so nothing goes on in a half-known state. A broker that is down costs a service nothing but its
events: they wait in the outbox and in the stream.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from chassis.events import Envelope
from chassis.retry import Backoff
from chassis.streams import STREAMS
from chassis.telemetry import Telemetry

_log = logging.getLogger(__name__)

MESSAGE_ID: Final = "Nats-Msg-Id"

_CONNECT_SECONDS: Final = 2
_PUBLISH_SECONDS: Final = 5.0
_PING_SECONDS: Final = 5
"""A broker that is silent for two of these is taken to be gone."""


class BrokerUnavailableError(Exception):
    """The broker can't be reached, or didn't say in time that it keeps the message: it may or may not have it."""


class Broker:
    """The broker as one process sees it. Without a URL the process runs without events."""

    def __init__(self, url: str | None, *, service: str, telemetry: Telemetry) -> None:
        self.service = service
        self._url = url
        self._telemetry = telemetry
        self._client: Client | None = None
        self._usable = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def enabled(self) -> bool:
        """Whether there is a broker to talk to at all."""
        return self._url is not None

    @property
    def connected(self) -> bool:
        """Whether it can be talked to now."""
        return self._usable.is_set()

    async def open(self) -> None:
        """Begin to connect. Doesn't wait for it: a service starts without its broker."""
        if self._url is None:
            _log.info("no BROKER_URL: this process neither publishes nor consumes events")
            return
        self._keeper = asyncio.create_task(self._keep_connected(self._url), name="broker")

    async def close(self) -> None:
        """Close the connection, once nobody needs it any more."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
            self._keeper = None

    async def session(self) -> Client:
        """The connection, as soon as there is one. It is never mended: an error on it means to ask for another."""
        while self._client is None or not self._usable.is_set():
            await self._usable.wait()
        return self._client

    def jetstream(self) -> JetStreamContext:
        """JetStream over the present connection. Raises ``BrokerUnavailableError`` when there is none."""
        if self._client is None or not self._usable.is_set():
            raise BrokerUnavailableError("no connection to the broker")
        return self._client.jetstream()

    async def publish(self, envelope: Envelope) -> None:
        """Publish an event and wait until the broker keeps it. The same event again is dropped by the broker.

        Raises ``BrokerUnavailableError``: at once when there is no connection, else after five seconds.
        """
        with self._telemetry.publishing(envelope):
            await self.send(envelope.subject, envelope.to_bytes(), message_id=envelope.event_id)

    async def send(
        self, subject: str, data: bytes, *, message_id: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """Publish bytes and wait until the broker keeps them. Raises ``BrokerUnavailableError``."""
        try:
            await self.jetstream().publish(
                subject, data, timeout=_PUBLISH_SECONDS, headers={**(headers or {}), MESSAGE_ID: message_id}
            )
        except (NatsError, TimeoutError) as error:
            raise BrokerUnavailableError(f"{subject} isn't known to be kept: {error!r}") from error

    async def _keep_connected(self, url: str) -> None:
        backoff = Backoff(base=0.1, cap=2.0)
        while True:
            lost = asyncio.Event()
            try:
                client = await _connect(url, self.service, lost)
            except (NatsError, OSError, TimeoutError) as error:
                _log.warning("no connection to the broker", extra={"cause": repr(error)})
                await asyncio.sleep(backoff.next())
                continue
            try:
                await _make_streams(client.jetstream())
                self._client = client
                self._usable.set()
                backoff.reset()
                _log.info("connected to the broker")
                await lost.wait()
                _log.warning("the connection to the broker is lost")
            except (NatsError, TimeoutError) as error:
                _log.warning("the broker isn't ready", extra={"cause": repr(error)})
            finally:
                self._usable.clear()
                await client.close()
            await asyncio.sleep(backoff.next())


async def _connect(url: str, name: str, lost: asyncio.Event) -> Client:
    async def closed() -> None:
        lost.set()

    async def erred(error: Exception) -> None:
        _log.debug("the connection to the broker says", extra={"cause": repr(error)})

    return await nats.connect(
        url,
        name=name,
        allow_reconnect=False,
        connect_timeout=_CONNECT_SECONDS,
        ping_interval=_PING_SECONDS,
        max_outstanding_pings=1,
        closed_cb=closed,
        error_cb=erred,
    )


async def _make_streams(jetstream: JetStreamContext) -> None:
    """Make the streams that are missing. One that exists stays as it is: whoever tuned it knew why."""
    for config in STREAMS:
        try:
            await jetstream.stream_info(str(config.name))
        except NotFoundError:
            await jetstream.add_stream(config)
