"""Many tasks whose writes share transactions: none is told anything that isn't so."""

import asyncio
from collections.abc import Sequence

import pytest

from chassis.database import DatabaseUnavailable
from chassis.together import Together


class Written:
    """What was written, group by group; each group begins when it is let."""

    def __init__(self, *, bad: frozenset[int] = frozenset(), out: bool = False) -> None:
        self.groups: list[list[int]] = []
        self.begun = asyncio.Event()
        self.may = asyncio.Event()
        self._bad = bad
        self._out = out

    async def write(self, some: Sequence[int]) -> None:
        self.groups.append(list(some))
        self.begun.set()
        await self.may.wait()
        if self._out:
            raise DatabaseUnavailable
        if self._bad.intersection(some):
            raise ValueError(f"{some} can't be stored")


async def stored(together: Together[int], written: Written, count: int) -> list[BaseException | None]:
    """Store the first, then all others while it is being written."""
    first = asyncio.create_task(together.store(0))
    await written.begun.wait()
    others = [asyncio.create_task(together.store(number)) for number in range(1, count)]
    await asyncio.sleep(0)
    written.may.set()
    return await asyncio.gather(first, *others, return_exceptions=True)


async def test_who_comes_while_one_is_written_goes_with_the_next() -> None:
    written = Written()
    assert await stored(Together(written.write), written, 5) == [None] * 5
    assert written.groups == [[0], [1, 2, 3, 4]]


async def test_nobody_is_told_before_it_is_written() -> None:
    written = Written()
    one = asyncio.create_task(Together(written.write).store(0))
    await written.begun.wait()
    assert not one.done()
    written.may.set()
    await one


async def test_a_group_has_its_limit() -> None:
    written = Written()
    assert await stored(Together(written.write, most=2), written, 6) == [None] * 6
    assert written.groups == [[0], [1, 2], [3, 4], [5]]


async def test_what_cannot_be_stored_is_no_others_trouble() -> None:
    written = Written(bad=frozenset({2}))
    told = await stored(Together(written.write), written, 4)
    assert [type(one) for one in told] == [type(None), type(None), ValueError, type(None)]


async def test_a_database_that_is_out_is_asked_once_for_all() -> None:
    written = Written(out=True)
    told = await stored(Together(written.write), written, 4)
    assert all(isinstance(one, DatabaseUnavailable) for one in told)
    assert written.groups == [[0], [1, 2, 3]]


async def test_who_gives_up_takes_nobody_along() -> None:
    written = Written()
    together = Together(written.write)
    first, second = (asyncio.create_task(together.store(number)) for number in range(2))
    await written.begun.wait()
    first.cancel()
    written.may.set()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    await together.store(2)
    assert [number for group in written.groups for number in group] == [0, 1, 2]
