"""Writes of many tasks, stored in one transaction: group commit.

Each waits for its commit as it would alone, so nothing is acknowledged that isn't stored. But who comes while a group
is being written goes with the next one, and a transaction, which costs more than what is written in it, is shared by
all who wait. Alone nobody waits for company: a write that finds none under way begins at once.

Only for writes that may be repeated and know nothing of one another. Where a group can't be written each is tried
alone, so that one that can't be stored is no other's trouble; unless it is the database that is out.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Final, Generic, TypeVar

from chassis.database import DatabaseUnavailable

T = TypeVar("T")

_MOST: Final = 200


class Together(Generic[T]):
    """Gathers what ``write`` stores, in one transaction each time it is called."""

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[None]], *, most: int = _MOST) -> None:
        self._write = write
        self._most = most
        self._waiting: deque[tuple[T, asyncio.Future[None]]] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def store(self, one: T) -> None:
        """Store it; returns after the commit. Raises what ``write`` raises about it."""
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append((one, stored))
        if self._writing is None:
            # What a group does belongs to none of the requests and messages that it is done for.
            self._writing = asyncio.create_task(self._write_all(), context=Context())
        await stored

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                await self._write_some([self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))])
        finally:
            self._writing = None

    async def _write_some(self, group: Sequence[tuple[T, "asyncio.Future[None]"]]) -> None:
        try:
            await self._write([one for one, _ in group])
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told to who waits, not to this task
            if len(group) == 1 or isinstance(error, DatabaseUnavailable):
                _tell(group, error)
            else:
                for member in group:
                    await self._write_some([member])
        else:
            _tell(group, None)


def _tell(group: Sequence[tuple[T, "asyncio.Future[None]"]], error: Exception | None) -> None:
    for _, stored in group:
        if stored.done():  # who waited for it was cancelled
            continue
        if error is None:
            stored.set_result(None)
        else:
            stored.set_exception(error)
