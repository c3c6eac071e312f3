"""Events leave by way of the database: written in the transaction of the change that they tell of, published after it.

A change without its event, or an event without its change, can't happen: there is one commit. ``Relay`` publishes what
was committed, at least once, and in order for each aggregate. The same event has the same id each time, so the broker
drops what it keeps already, and an inbox drops the rest.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import BigInteger, Column, Identity, Integer, Table, Text, insert
from sqlalchemy.dialects import postgresql, sqlite

from chassis.database import Session, Timestamp, after_commit, metadata
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


class Outbox:
    """Where a service puts its events. ``announce`` is called after each commit that put one there."""

    def __init__(self, announce: Callable[[], None] | None = None) -> None:
        self._announce = announce

    async def add(self, session: Session, *envelopes: Envelope, aggregate_id: str) -> None:
        """Publish events once, and only if, this transaction commits; after all earlier ones of their aggregate.

        Transactions that tell of the same aggregate wait for one another from here to their end, so that the order in
        which they are numbered is the order in which they commit.
        """
        more = _MORE[session.dialect.name]
        told = {"aggregate_id": aggregate_id, "sequence": len(envelopes)}
        last = (await session.execute(more, told)).scalar_one()
        first = last - len(envelopes) + 1
        rows = [_row(envelope, aggregate_id, sequence) for sequence, envelope in enumerate(envelopes, start=first)]
        await session.execute(_ADD, rows)
        if self._announce is not None:
            after_commit(session, self._announce)


def _row(envelope: Envelope, aggregate_id: str, sequence: int) -> dict[str, object]:
    numbered = envelope.model_copy(update={"metadata": envelope.metadata.model_copy(update={"sequence": sequence})})
    return {
        "event_id": envelope.event_id,
        "aggregate_id": aggregate_id,
        "subject": envelope.subject,
        "message": numbered.to_bytes().decode(),
        "added_at": datetime.now(UTC),
    }
