"""Decide on what the events say, and write it down unless somebody else was faster: then decide anew."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from chassis.database import Database, Session
from chassis.problems import Problem
from payments.store.event_store import ConflictError

_MOST_CONFLICTS: Final = 50

T = TypeVar("T")


async def decide(database: Database, write: Callable[[Session], Awaitable[T]]) -> T:
    """What ``write`` gives, from a transaction in which nobody else came in between.

    Raises a ``Problem`` when that can't be had.
    """
    for attempt in range(_MOST_CONFLICTS):
        try:
            async with database.transaction() as session:
                return await write(session)
        except ConflictError:
            await asyncio.sleep(random.random() * 0.01 * attempt)  # noqa: S311 - spreads writers, guards nothing
    raise Problem(503, "Too many want to change the same charge. Try again in a moment.", headers={"retry-after": "1"})
