"""A service's database: Postgres where there is one, SQLite where a service runs alone, the same code for both.

A transaction commits at the end of its block or not at all. What the database can't do at this moment is a 503 with
``retry-after``; what two transactions did to each other (SQLSTATE 40001, 40P01) is the caller's to see and to repeat.
A transaction holds a connection, so no other service is called inside one.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, Literal, TypeAlias

from pydantic import SecretStr
from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    Executable,
    MetaData,
    StaticPool,
    Table,
    TypeDecorator,
    event,
    make_url,
    text,
)
from sqlalchemy import exc as sa_exc
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from chassis.problems import Problem

_log = logging.getLogger(__name__)

IN_MEMORY: Final = "sqlite+aiosqlite://"
_CONNECT_SECONDS: Final = 5.0
_STATEMENT_SECONDS: Final = 15.0
_BUSY_SECONDS: Final = 5.0
_GOODBYE_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = 1.0
_WARM: Final = 4
"""Connections that are there from the start: to make one takes a dozen round trips."""
_NAMES: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

_AFTER_COMMIT: Final = "after commit"

Session: TypeAlias = AsyncConnection
"""What a transaction is talked to by. SQLAlchemy's sessions are for mapped objects, of which there are none here; empty
ones cost a transaction as much as a statement."""
Json: Final = JSON().with_variant(postgresql.JSONB(), "postgresql")
"""A column of JSON; on Postgres it can be searched."""


def metadata() -> MetaData:
    """Tables whose constraints all have names, which a migration needs to change them later."""
    return MetaData(naming_convention=_NAMES)


class Timestamp(TypeDecorator[datetime]):
    """A column of moments: aware, in UTC, on SQLite too, which keeps no time zones itself."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse what is no moment but a reading of somebody's clock."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give it in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class DatabaseUnavailable(Problem):
    """The database can't be reached, or ended a connection: then nobody knows whether a commit under way took place."""

    def __init__(self) -> None:
        super().__init__(
            503,
            "The database could not be used. Try again in a moment.",
            kind="database-unavailable",
            title="Database unavailable",
            headers={"retry-after": "1"},
        )


class Database:
    """The database of one service. Up to ``connections`` transactions run at once, on SQLite one.

    ``migrations`` is the package whose migrations it has, ``application`` how the connections are named.
    """

    dialect: Literal["postgresql", "sqlite"]

    def __init__(
        self,
        url: SecretStr | str | None = None,
        *,
        migrations: str | None = None,
        application: str = "",
        connections: int = 8,
    ) -> None:
        self._migrations = migrations
        self._connections = connections
        raw = url.get_secret_value() if isinstance(url, SecretStr) else url or IN_MEMORY
        self.url = make_url(raw)
        if self.url.drivername == "postgresql+asyncpg":
            self.dialect = "postgresql"
            self.engine = _postgres(raw, application, connections)
            self._turn: AbstractAsyncContextManager[None] | asyncio.Lock = nullcontext()
        elif self.url.drivername == "sqlite+aiosqlite":
            self.dialect = "sqlite"
            self.engine = _sqlite(raw)
            self._turn = asyncio.Lock()
        else:
            raise ValueError(f"{self.url.drivername}: give postgresql+asyncpg://… or sqlite+aiosqlite://…")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """A session whose work is committed at the end of the block, and rolled back when that is left by an error.

        Don't open a second one inside: on SQLite it would wait for the first for ever. Raises ``DatabaseUnavailable``.
        """
        try:
            async with self._turn, self.engine.connect() as session:
                acts = session.info[_AFTER_COMMIT] = dict[Callable[[], None], None]()
                yield session
                await session.commit()
            for act in acts:
                act()
        except sa_exc.DBAPIError as error:
            if error.connection_invalidated or _is_refusal(error):
                raise DatabaseUnavailable from error
            raise
        except (sa_exc.TimeoutError, OSError) as error:
            raise DatabaseUnavailable from error

    async def open(self) -> None:
        """Wait until it answers, and have some connections before the first request needs them.

        On SQLite run the migrations: who runs a service alone has no other step for it.
        """
        if self.dialect == "sqlite" and self._migrations is not None:
            from chassis.migrations import migrate  # noqa: PLC0415 - Alembic is only for those who migrate

            await migrate(self, self._migrations, patience=0)
        while True:
            try:
                await self.check()
                if self.dialect == "postgresql":
                    await asyncio.gather(*(self.check() for _ in range(min(_WARM, self._connections))))
            except DatabaseUnavailable as error:
                _log.warning("waiting for the database", extra={"cause": repr(error.__cause__)})
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                return

    async def check(self) -> None:
        """Ask it something. Raises ``DatabaseUnavailable``."""
        async with self.transaction() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close its connections; one whose server doesn't say goodbye in a second is dropped."""
        while True:
            try:
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    return await self.engine.dispose()
            except TimeoutError:
                _log.warning("a connection to the database could not be closed, and was dropped")


def after_commit(session: Session, act: Callable[[], None]) -> None:
    """Do this once the transaction is committed, and once only, however often it is asked for."""
    session.info[_AFTER_COMMIT][act] = None


def insert_into(table: Table, dialect: str) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that can say what becomes of a row that is there."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


async def insert_if_absent(session: Session, table: Table, **values: Any) -> bool:  # noqa: ANN401 - any column
    """Insert a row unless one with its primary key or a unique column is there; whether it was inserted.

    On Postgres it waits for a transaction that is inserting the same row.
    """
    inserted = await session.execute(_insert_if_absent(table, session.dialect.name), values)
    return inserted.first() is not None


@cache
def _insert_if_absent(table: Table, dialect: str) -> Executable:
    """Built once: that costs more than to run it."""
    return insert_into(table, dialect).on_conflict_do_nothing().returning(next(iter(table.primary_key)))


def _is_refusal(error: sa_exc.DBAPIError) -> bool:
    """Whether a server that starts, ends, or is full answered (SQLSTATE classes 08, 53 and 57P), or none did.

    When a connection ends in the middle of something the driver may find itself in a state that it knows no way from.
    """
    told = (getattr(error.orig, "sqlstate", None) or "").startswith(("08", "53", "57P"))
    return told or isinstance(error, sa_exc.InternalError)


def _postgres(url: str, application: str, connections: int) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=_BUSY_SECONDS,
        pool_use_lifo=True,  # the connection that was used last has its statements prepared
        connect_args={
            "timeout": _CONNECT_SECONDS,
            "command_timeout": _STATEMENT_SECONDS,
            "server_settings": {
                "application_name": application,
                "timezone": "UTC",
                # A process that vanished without a word must not keep its locks.
                "idle_in_transaction_session_timeout": "30s",
                "tcp_keepalives_idle": "10",
                "tcp_keepalives_interval": "5",
                "tcp_keepalives_count": "3",
            },
        },
    )

    @event.listens_for(engine.sync_engine, "checkout")
    def refuse_closed(connection: Any, *_: object) -> None:  # noqa: ANN401 - as the event gives it
        # A database that was restarted costs no request. To ask it each time would take three round trips.
        if connection.driver_connection.is_closed():
            raise sa_exc.DisconnectionError

    return engine


def _sqlite(url: str) -> AsyncEngine:
    in_memory = make_url(url).database in (None, "", ":memory:")
    engine = create_async_engine(url, **({"poolclass": StaticPool} if in_memory else {}))

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver would begin transactions late, and not around everything
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", f"busy_timeout={_BUSY_SECONDS * 1000:.0f}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:  # noqa: ANN401 - as the event gives it
        # A transaction that reads first and writes later would fail when another one wrote in between.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
