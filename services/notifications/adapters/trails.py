"""The trail of every event of the shop, kept for a while: one more consumer, of which no producer knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import Executable, delete, or_, select

from chassis.database import Database, Session, insert_into
from chassis.events import Envelope
from chassis.schemas import CATALOGUE
from chassis.together import Together
from notifications.adapters.tables import NOTIFICATIONS, TRAIL
from notifications.trail import Step

_KEPT: Final = timedelta(days=7)
"""As long as the broker keeps messages."""
_MOST: Final = 500


@dataclass(frozen=True)
class Trail:
    """What followed from a request."""

    correlation_id: str
    steps: Sequence[Step]


class Trails:
    """Keeps and finds trails."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept = Together(self._keep)

    async def record(self, envelope: Envelope) -> None:
        """Keep who caused an event. The same event again changes nothing: its id is the key."""
        await self._kept.store(
            {
                "event_id": envelope.event_id,
                "event_type": envelope.event_type,
                "producer": CATALOGUE.producer(envelope.event_type),
                "correlation_id": envelope.metadata.correlation_id,
                "causation_id": envelope.metadata.causation_id,
                "order_id": envelope.payload.get("orderId"),
                "happened_at": envelope.timestamp,
            }
        )

    async def of(self, identity: str) -> Trail | None:
        """What followed from a request, by its id or by the id of an order that it was about."""
        async with self._database.transaction() as session:
            correlation = await session.scalar(
                select(TRAIL.c.correlation_id)
                .where(or_(TRAIL.c.correlation_id == identity, TRAIL.c.order_id == identity))
                .order_by(TRAIL.c.happened_at)
                .limit(1)
            )
            if correlation is None:
                return None
            return Trail(correlation, [*await _events(session, correlation), *await _told(session, correlation)])

    async def forget(self) -> None:
        """Let go of what is older than the broker's own memory."""
        async with self._database.transaction() as session:
            await session.execute(delete(TRAIL).where(TRAIL.c.happened_at < datetime.now(UTC) - _KEPT))

    async def _keep(self, rows: Sequence[Mapping[str, Any]]) -> None:
        async with self._database.transaction() as session:
            # In one order everywhere, lest two who keep the same wait for each other.
            await session.execute(_add(session.dialect.name), sorted(rows, key=lambda row: str(row["event_id"])))


@cache
def _add(dialect: str) -> Executable:
    return insert_into(TRAIL, dialect).on_conflict_do_nothing()


async def _events(session: Session, correlation: str) -> list[Step]:
    columns = (TRAIL.c.event_id, TRAIL.c.causation_id, TRAIL.c.event_type, TRAIL.c.producer, TRAIL.c.happened_at)
    rows = await session.execute(select(*columns).where(TRAIL.c.correlation_id == correlation).limit(_MOST))
    return [Step(*row) for row in rows]


async def _told(session: Session, correlation: str) -> list[Step]:
    query = select(NOTIFICATIONS).where(NOTIFICATIONS.c.correlation_id == correlation).limit(_MOST)
    return [
        Step(
            row.id,
            row.event_id,
            f"{row.medium} {row.status}: {row.subject}",
            "notifications",
            row.sent_at or row.created_at,
        )
        for row in await session.execute(query)
    ]
