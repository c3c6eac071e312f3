"""Bulkhead: at most so many calls of one kind at a time; one more is refused at once.

A compartment that floods doesn't sink the ship: when one dependency hangs, the calls to it fill their own places and
no others. Nobody queues for a place: who waits holds a request open, and that is the flood.
"""

from http import HTTPStatus
from types import TracebackType

from chassis.problems import Problem


class Full(Problem):
    """All places are taken: the call wasn't made."""

    def __init__(self, name: str, limit: int) -> None:
        super().__init__(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"{name} is busy with {limit} calls already. Try again in a moment.",
            kind="bulkhead-full",
            title="Bulkhead full",
            headers={"retry-after": "1"},
            bulkhead=name,
        )


class Bulkhead:
    """So many places for calls of one kind, in this process: ``async with bulkhead: …``.

    It is for one event loop, where nothing happens between the look and the taking; so it needs no lock.
    """

    def __init__(self, name: str, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"bulkhead {name}: limit={limit} lets nobody in")
        self.name = name
        self.limit = limit
        self.in_use = 0
        self.rejected = 0

    async def __aenter__(self) -> None:
        """Take a place. Raises ``Full`` at once when there is none."""
        if self.in_use >= self.limit:
            self.rejected += 1
            raise Full(self.name, self.limit)
        self.in_use += 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.in_use -= 1
