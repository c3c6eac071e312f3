"""Decide on what the events say, and write it down unless somebody else was faster: then decide anew."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.database import Database
from payments.store.event_store import ConflictError

_MOST_CONFLICTS: Final = 50

T = TypeVar("T")


async def decide(database: Database, write: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """What ``write`` gives, from a transaction in which nobody else came in between."""
    for attempt in range(_MOST_CONFLICTS):
        try:
            async with database.transaction() as session:
                return await write(session)
        except ConflictError:
            await asyncio.sleep(random.random() * 0.01 * attempt)  # noqa: S311 - spreads writers, guards nothing
    raise ConflictError(f"{_MOST_CONFLICTS} writers in a row were faster")
