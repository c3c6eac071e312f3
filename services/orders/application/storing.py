"""Changing what is stored while others change it too: nothing is locked, and who was too late decides again."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from orders.ports.storage import StaleError, Storage, UnitOfWork

T = TypeVar("T")


async def stored(storage: Storage, change: Callable[[UnitOfWork], Awaitable[T]]) -> T:
    """Make a change in a unit of work, and give what it gives; once more in another one, when somebody was faster."""
    while True:
        try:
            async with storage.unit() as unit:
                return await change(unit)
        except StaleError:
            continue
