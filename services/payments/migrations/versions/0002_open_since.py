"""Since when a charge is open. Empty in rows of the revision before this one, which serves beside it."""

import sqlalchemy as sa
from alembic import op

from chassis.database import Timestamp

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column."""
    op.add_column("open_charges", sa.Column("opened_at", Timestamp(), nullable=True))
