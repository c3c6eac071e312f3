"""Messages that nobody could handle: kept with their cause, listed, and handled once more when the cause is mended.

They lie in a stream of their own, ``dead.<service>.<consumer>``. Handled once more means: by the consumer that failed
and by nobody else, so ``redrive`` publishes to a subject that this consumer alone reads, not to the one where the
message first came from.
"""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from nats.aio.msg import Msg
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from chassis.broker import Broker
from chassis.streams import DEAD

_CAUSE, _ATTEMPTS, _SUBJECT, _EVENT, _FAILED_AT = (
    "Dead-Cause",
    "Dead-Attempts",
    "Dead-Subject",
    "Dead-Event-Id",
    "Dead-Failed-At",
)
_LONGEST_CAUSE: Final = 500


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message, and why it lies here. ``consumer`` is ``<service>.<consumer>``."""

    id: str
    consumer: str
    subject: str
    event_id: str | None
    cause: str
    attempts: int
    failed_at: datetime
    data: bytes


async def bury(broker: Broker, message: Msg, *, consumer: str, cause: str, event_id: str | None) -> None:
    """Keep a message among the dead letters. Raises ``BrokerUnavailableError`` when it isn't known to be kept."""
    metadata = message.metadata
    headers = {
        _CAUSE: _one_line(cause),
        _ATTEMPTS: str(metadata.num_delivered),
        _SUBJECT: message.subject,
        _FAILED_AT: datetime.now(UTC).isoformat(),
    }
    if event_id is not None:
        headers[_EVENT] = _one_line(event_id)
    await broker.send(
        f"dead.{broker.service}.{consumer}",
        message.data,
        message_id=f"dead-{broker.service}-{consumer}-{metadata.sequence.stream}",
        headers=headers,
    )


class DeadLetters:
    """The dead letters of all services, or of one consumer."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def list(self, consumer: str | None = None, *, limit: int = 100) -> list[DeadLetter]:
        """The oldest, at most ``limit``. Raises ``BrokerUnavailableError`` and what NATS raises."""
        found = []
        async for letter in self._all(consumer):
            found.append(letter)
            if len(found) == limit:
                break
        return found

    async def redrive(self, ids: Collection[str] | None = None, *, consumer: str | None = None) -> int:
        """Have these, or all, handled once more by the consumers that failed. Tells how many."""
        count = 0
        async for letter in self._all(consumer):
            if ids is None or letter.id in ids:
                subject, message_id = redrive_subject(letter.consumer), f"redrive-{letter.id}-{letter.consumer}"
                await self._broker.send(subject, letter.data, message_id=message_id)
                await self._broker.jetstream().delete_msg(DEAD, int(letter.id))
                count += 1
        return count

    async def _all(self, consumer: str | None) -> AsyncIterator[DeadLetter]:
        """Those that lie here now, the oldest first. What fails again meanwhile isn't among them."""
        jetstream = self._broker.jetstream()
        last = (await jetstream.stream_info(DEAD)).state.last_seq
        sequence, subject = 1, f"dead.{consumer or '>'}"
        while sequence <= last:
            try:
                message = await jetstream.get_msg(DEAD, seq=sequence, subject=subject, next=True)
            except NotFoundError:
                return
            letter = _letter(message)
            sequence = int(letter.id) + 1
            if int(letter.id) <= last:
                yield letter


def redrive_subject(consumer: str) -> str:
    """Where ``<service>.<consumer>`` gets messages once more."""
    return f"redrive.{consumer}"


def _letter(message: RawStreamMsg) -> DeadLetter:
    headers = message.headers or {}
    return DeadLetter(
        id=str(message.seq),
        consumer=str(message.subject).removeprefix("dead."),
        subject=headers[_SUBJECT],
        event_id=headers.get(_EVENT),
        cause=headers[_CAUSE],
        attempts=int(headers[_ATTEMPTS]),
        failed_at=datetime.fromisoformat(headers[_FAILED_AT]),
        data=message.data or b"",
    )


def _one_line(text: str) -> str:
    """Text as a header can carry it."""
    return " ".join(text[:_LONGEST_CAUSE].split()).encode("ascii", "backslashreplace").decode()
