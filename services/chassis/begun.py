"""Messages that kill the process which handles them: an endless loop, memory without end, a fault in C code.

A handler that fails tells the broker. A process that dies tells nothing, and its messages come again to the next one,
which dies too. So what comes again is written down at the broker before it is begun, and taken back when it has ended,
whichever way; what is left there says how many processes died of it, or beside it. The broker's own count of deliveries
says less: what waited for a database that was out has many of them.

The innocent that a process had in hand die with it. So who has such an end behind him is handled alone among his like:
one after the other gets through, until the one that kills is begun.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Final

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from chassis.broker import Broker, BrokerUnavailableError
from chassis.ids import new_id
from chassis.streams import BEGUN

_log = logging.getLogger(__name__)

MOST_ENDS: Final = 3
"""So often a message that comes again may be begun and never end."""


class FatalError(Exception):
    """A message was begun again and again, and each time its process died before it had ended."""


class Begun:
    """What a consumer has begun and not ended, in all its processes."""

    def __init__(self, broker: Broker, consumer: str) -> None:
        self._broker = broker
        self._subject = f"begun.{broker.service}.{consumer}"
        self._alone = asyncio.Lock()

    @asynccontextmanager
    async def again(self, message: Msg) -> AsyncIterator[None]:
        """Handle a message in the block that was delivered before.

        Raises ``FatalError`` instead when it was begun too often, and ``BrokerUnavailableError``.
        """
        subject = f"{self._subject}.{message.metadata.sequence.stream}"
        ends = await self._ends(subject)
        if ends >= MOST_ENDS:
            raise FatalError(f"begun {ends + 1} times, and its process died each time before it had ended")
        async with self._alone if ends else nullcontext():
            await self._broker.send(subject, str(ends + 1).encode(), message_id=new_id())
            try:
                yield
            finally:
                await self._forget(subject)

    async def _ends(self, subject: str) -> int:
        try:
            noted = await self._broker.jetstream().get_last_msg(BEGUN, subject)
        except NotFoundError:
            return 0
        except (NatsError, TimeoutError) as error:
            raise BrokerUnavailableError(f"{subject} can't be read: {error!r}") from error
        return int(noted.data or b"0")

    async def _forget(self, subject: str) -> None:
        """Where the broker can't be told, one end too many is counted."""
        try:
            await self._broker.jetstream().purge_stream(BEGUN, subject=subject)
        except (BrokerUnavailableError, NatsError, TimeoutError) as error:
            _log.warning("the end of a message isn't noted", extra={"subject": subject, "cause": repr(error)})
