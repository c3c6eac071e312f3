"""The tables of the chassis."""

from chassis import tables_v1

revision = "0001"
down_revision = None


def upgrade() -> None:
    tables_v1.outbox()
    tables_v1.inbox()
    tables_v1.idempotency_keys()
