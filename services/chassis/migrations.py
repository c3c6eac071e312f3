"""``python -m chassis migrate SERVICE``: bring the database of a service to the shape that its code wants.

A service has plain Alembic revisions in ``migrations/versions``; everything around them is here, once. They only ever
add, because the old revision of the service goes on serving meanwhile. A whole upgrade is one transaction, one process
at a time, and gives way to traffic: rather than queue for a lock in front of everybody it fails after a moment and is
tried again.

Alembic is imported by what migrates: a process that serves has no use for it, and began a sixth later with it.
"""

import asyncio
import logging
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, MetaData, text
from sqlalchemy import exc as sa_exc

from chassis.database import Database, DatabaseUnavailable

_log = logging.getLogger(__name__)

_ENVIRONMENT: Final = Path(__file__).parent / "alembic_env"
_LOCK: Final = 0x5EA_7121A1
"""One migration of a database at a time: the key of an advisory lock."""
_PAUSE: Final = 0.5


def has_migrations(package: str) -> bool:
    """Whether a service has a database."""
    return _versions(package).is_dir()


def upgrade(connection: Connection, package: str) -> None:
    """Run the migrations of a service that its database hasn't seen, on an open connection within its transaction."""
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415

    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = '3s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    config = Config()
    config.set_main_option("script_location", str(_ENVIRONMENT))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(_versions(package)))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def differences(connection: Connection, *tables: MetaData) -> list[Any]:
    """What Alembic would change to make a database look like these tables; empty after good migrations."""
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415 - see above
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415

    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, list(tables)))  # type: ignore[arg-type]  # takes a sequence, says so in its docs only


async def migrate(database: Database, package: str, *, patience: float) -> None:
    """Upgrade, trying for ``patience`` seconds while the database isn't there or its tables are in use.

    Raises ``DatabaseUnavailable``, or SQLAlchemy's error when a lock can't be had.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            async with database.transaction() as session:
                await session.run_sync(upgrade, package)
        except (DatabaseUnavailable, sa_exc.DBAPIError) as error:
            if not _may_pass(error) or time.monotonic() >= deadline:
                raise
            _log.info("not yet: %s", error.__cause__ or error)
            await asyncio.sleep(_PAUSE)
        else:
            return


def _may_pass(error: DatabaseUnavailable | sa_exc.DBAPIError) -> bool:
    """Whether it is a matter of time: no database yet, or a lock (SQLSTATE 55P03) or deadlock (40P01)."""
    return isinstance(error, DatabaseUnavailable) or getattr(error.orig, "sqlstate", None) in ("55P03", "40P01")


def _versions(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ValueError(f"there is no service {package}")
    return Path(spec.origin).parent / "migrations" / "versions"


def main(package: str) -> None:
    """Migrate the database of ``DATABASE_URL``, or end with what is wrong."""
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        sys.exit("DATABASE_URL is not set: which database is to be migrated?")
    patience = float(os.environ.get("MIGRATE_PATIENCE_SECONDS", "100"))

    async def run() -> None:
        database = Database(url, application=f"{package} migrate", connections=1)
        try:
            await migrate(database, package, patience=patience)
        finally:
            await database.close()

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        asyncio.run(run())
    except DatabaseUnavailable as error:
        sys.exit(f"the database of {package} could not be used for {patience:g} s: {error.__cause__}")
