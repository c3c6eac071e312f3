"""What came of earlier tries to handle a message, noted at the broker: it gives a message to any process of a service.

A try that failed is noted when it has. A process that dies of a message can't do that, nor tell the broker: the message
comes again after a while, to the next process, which dies too. So what comes again is noted before it is begun, and the
note taken back when it has ended, whichever way; what is left says how many processes died of it, or beside it. The
broker's own count of deliveries says less: what waited for a database that was out has many of them.

The innocent that a process had in hand die with it. So who has such an end behind him is handled alone among his like:
one after the other gets through, until the one that kills is begun.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Final

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError
from pydantic import TypeAdapter

from chassis.broker import Broker, BrokerUnavailableError
from chassis.ids import new_id
from chassis.streams import BEGUN

_log = logging.getLogger(__name__)

MOST_ENDS: Final = 3
"""So often a message that comes again may be begun and never end."""


class FatalError(Exception):
    """A message was begun again and again, and each time its process died before it had ended."""


@dataclass
class Tries:
    """How often a message was begun and never ended, its first delivery apart, and how often its handler failed."""

    unended: int = 0
    failed: int = 0


_NOTE: Final = TypeAdapter(Tries)


class Begun:
    """What a consumer has begun, in all its processes."""

    def __init__(self, broker: Broker, consumer: str) -> None:
        self._broker = broker
        self._subject = f"begun.{broker.service}.{consumer}"
        self._alone = asyncio.Lock()

    @asynccontextmanager
    async def trying(self, message: Msg) -> AsyncIterator[Tries]:
        """Handle a message in the block, which changes how often that has failed.

        Raises ``FatalError`` instead when it was begun too often, and ``BrokerUnavailableError``.
        """
        subject = f"{self._subject}.{message.metadata.sequence.stream}"
        again = message.metadata.num_delivered > 1
        tries = await self._noted(subject) if again else Tries()
        if tries.unended >= MOST_ENDS:
            raise FatalError(f"begun {tries.unended + 1} times, and its process died each time before it had ended")
        async with self._alone if tries.unended else nullcontext():
            if again:
                await self._note(subject, Tries(tries.unended + 1, tries.failed))
            tries.unended = 0
            try:
                yield tries
            finally:
                if again or tries.failed:
                    await self._ended(subject, tries)

    async def _noted(self, subject: str) -> Tries:
        try:
            note = await self._broker.jetstream().get_last_msg(BEGUN, subject)
        except NotFoundError:
            return Tries()
        except (NatsError, TimeoutError) as error:
            raise BrokerUnavailableError(f"{subject} can't be read: {error!r}") from error
        return _NOTE.validate_json(note.data or b"{}")

    async def _note(self, subject: str, tries: Tries) -> None:
        await self._broker.send(subject, _NOTE.dump_json(tries), message_id=new_id())

    async def _ended(self, subject: str, tries: Tries) -> None:
        """Where the broker can't be told, a try that failed isn't counted, or one too many is."""
        try:
            if tries.failed:
                await self._note(subject, tries)
            else:
                await self._broker.jetstream().purge_stream(BEGUN, subject=subject)
        except (BrokerUnavailableError, NatsError, TimeoutError) as error:
            _log.warning("the end of a try isn't noted", extra={"subject": subject, "cause": repr(error)})
