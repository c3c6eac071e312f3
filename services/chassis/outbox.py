"""Events leave by way of the database: written in the transaction of the change that they tell of, published after it.

A change without its event, or an event without its change, can't happen: there is one commit. ``Relay`` publishes what
was committed, at least once, and in order for each aggregate. The same event has the same id each time, so the broker
drops what it keeps already, and an inbox drops the rest.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Identity, Integer, Table, Text, event, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.database import Timestamp, metadata
from chassis.events import Envelope

TABLES: Final = metadata()
OUTBOX: Final = Table(
    "outbox",
    TABLES,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("aggregate_id", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("added_at", Timestamp, nullable=False),
)
SEQUENCES: Final = Table(
    "outbox_sequences",
    TABLES,
    Column("aggregate_id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
)
_ADD: Final = insert(OUTBOX)
_MORE: Final = {
    name: new.on_conflict_do_update(
        index_elements=["aggregate_id"], set_={"sequence": SEQUENCES.c.sequence + new.excluded.sequence}
    ).returning(SEQUENCES.c.sequence)
    for name, new in (("postgresql", postgresql.insert(SEQUENCES)), ("sqlite", sqlite.insert(SEQUENCES)))
}
"""Numbers the events of an aggregate from 1."""
_ANNOUNCED: Final = "outbox announced"


class Outbox:
    """Where a service puts its events. ``announce`` is called after each commit that put one there."""

    def __init__(self, announce: Callable[[], None] | None = None) -> None:
        self._announce = announce

    async def add(self, session: AsyncSession, *envelopes: Envelope, aggregate_id: str) -> None:
        """Publish events once, and only if, this transaction commits; after all earlier ones of their aggregate.

        Transactions that tell of the same aggregate wait for one another from here to their end, so that the order in
        which they are numbered is the order in which they commit.
        """
        more = _MORE[session.get_bind().dialect.name]
        told = {"aggregate_id": aggregate_id, "sequence": len(envelopes)}
        last = (await session.execute(more, told)).scalar_one()
        first = last - len(envelopes) + 1
        rows = [_row(envelope, aggregate_id, sequence) for sequence, envelope in enumerate(envelopes, start=first)]
        await session.execute(_ADD, rows)
        self._announce_after_commit(session)

    def _announce_after_commit(self, session: AsyncSession) -> None:
        announce = self._announce
        if announce is None or session.info.get(_ANNOUNCED):
            return
        session.info[_ANNOUNCED] = True

        def committed(_: Any) -> None:  # noqa: ANN401 - as the event gives it
            announce()

        event.listen(session.sync_session, "after_commit", committed)


def _row(envelope: Envelope, aggregate_id: str, sequence: int) -> dict[str, object]:
    numbered = envelope.model_copy(update={"metadata": envelope.metadata.model_copy(update={"sequence": sequence})})
    return {
        "event_id": envelope.event_id,
        "aggregate_id": aggregate_id,
        "subject": envelope.subject,
        "message": numbered.to_bytes().decode(),
        "added_at": datetime.now(UTC),
    }
