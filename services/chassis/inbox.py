"""Events arrive at least once; their effects happen once: which were handled is written down with the effect.

The mark and the effect are one transaction. If it doesn't commit, neither is there, and the next delivery does both.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Column, CursorResult, Index, Table, Text, delete

from chassis.database import Session, Timestamp, insert_if_absent, metadata
from chassis.events import Envelope
from chassis.streams import LONGEST_WAY

REMEMBERED: Final = LONGEST_WAY + timedelta(days=1)
"""What is forgotten would have its effect again."""

TABLES: Final = metadata()
INBOX: Final = Table(
    "inbox",
    TABLES,
    Column("consumer", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("handled_at", Timestamp, nullable=False),
    Index(None, "handled_at"),
)


class Inbox:
    """Which events each consumer of a service has handled."""

    async def first_time(self, session: Session, envelope: Envelope, consumer: str) -> bool:
        """Whether this consumer handles the event for the first time, which it now does in this transaction.

        Of two deliveries at the same moment one waits for the other's end, and is the first if that didn't commit.
        """
        now = datetime.now(UTC)
        return await insert_if_absent(session, INBOX, consumer=consumer, event_id=envelope.event_id, handled_at=now)

    async def forget(self, session: Session, now: datetime) -> int:
        """Forget what was handled so long ago that the broker can't send it any more, and give how many."""
        forgotten = await session.execute(delete(INBOX).where(INBOX.c.handled_at < now - REMEMBERED))
        return forgotten.rowcount if isinstance(forgotten, CursorResult) else 0
