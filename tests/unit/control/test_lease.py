import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from seatrial.kube.errors import Conflict, Unavailable
from seatrial.kube.lease import Candidate, Lost, Record
from support.clock import now, virtually


class Shelf:
    """The API server's side of a Lease."""

    def __init__(self) -> None:
        self.record: Record | None = None
        self.version = 0
        self.away = False
        self.writes: list[tuple[float, str, int]] = []
        self.lose_the_next_answer = False

    async def read(self) -> Record | None:
        await self._travel()
        return self.record

    async def write(self, record: Record, *, over: Record | None) -> Record:
        await self._travel()
        if (over.version if over else "") != (self.record.version if self.record else ""):
            raise Conflict("somebody was faster")
        self.version += 1
        self.record = replace(record, version=str(self.version))
        self.writes.append((now(), record.holder, record.transitions))
        if self.lose_the_next_answer:
            self.lose_the_next_answer = False
            raise Unavailable("the answer was lost")
        return self.record

    async def _travel(self) -> None:
        await asyncio.sleep(0.01)
        if self.away:
            raise Unavailable("away")


def sail(script: Callable[[Shelf], Awaitable[None]]) -> Shelf:
    shelf = Shelf()
    virtually(script(shelf))  # type: ignore[arg-type]
    return shelf


def candidate(shelf: Shelf, name: str, **more: object) -> Candidate:
    return Candidate(shelf, name, clock=now, **more)  # type: ignore[arg-type]


async def holding(one: Candidate) -> "asyncio.Task[None]":
    await one.acquire()
    return asyncio.create_task(one.keep())


async def killed(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_the_first_one_takes_it_at_once_and_renews_it() -> None:
    async def script(shelf: Shelf) -> None:
        task = await holding(candidate(shelf, "a"))
        assert now() < 0.1
        await asyncio.sleep(60)
        assert not task.done()
        await killed(task)

    shelf = sail(script)
    assert {w[1:] for w in shelf.writes} == {("a", 1)}
    assert 28 <= len(shelf.writes) <= 32


def test_another_one_waits_as_long_as_it_is_renewed() -> None:
    async def script(shelf: Shelf) -> None:
        task = await holding(candidate(shelf, "a"))
        waiting = asyncio.create_task(candidate(shelf, "b").acquire())
        await asyncio.sleep(300)
        assert not waiting.done()
        await killed(waiting)
        await killed(task)

    sail(script)


def test_it_is_taken_within_twelve_seconds_of_a_kill_under_a_new_number() -> None:
    async def script(shelf: Shelf) -> None:
        task = await holding(candidate(shelf, "a"))
        other = candidate(shelf, "b")
        waiting = asyncio.create_task(other.acquire())
        for at in (30.0, 30.5, 31.0, 31.7):
            await asyncio.sleep(at - now() if at > now() else 0)
        await killed(task)
        dead = now()
        assert await waiting == 2
        assert 8 <= now() - dead <= 12
        assert shelf.record is not None
        assert (shelf.record.holder, shelf.record.transitions) == ("b", 2)

    sail(script)


def test_a_process_takes_over_at_once_from_the_dead_one_whose_heir_it_is() -> None:
    async def script(shelf: Shelf) -> None:
        task = await holding(candidate(shelf, "pod-a-1", heir_of="pod-a-"))
        await killed(task)
        dead = now()
        assert await candidate(shelf, "pod-a-2", heir_of="pod-a-").acquire() == 2
        assert now() - dead <= 0.1

    sail(script)


def test_a_process_is_nobody_elses_heir() -> None:
    async def script(shelf: Shelf) -> None:
        task = await holding(candidate(shelf, "pod-a-1", heir_of="pod-a-"))
        await killed(task)
        dead = now()
        await candidate(shelf, "pod-b-1", heir_of="pod-b-").acquire()
        assert now() - dead >= 8

    sail(script)


def test_given_back_it_is_taken_within_a_second() -> None:
    async def script(shelf: Shelf) -> None:
        first = candidate(shelf, "a")
        task = await holding(first)
        waiting = asyncio.create_task(candidate(shelf, "b").acquire())
        await asyncio.sleep(20)
        await killed(task)
        await first.release()
        given_back = now()
        await waiting
        assert now() - given_back <= 0.6

    sail(script)


def test_a_holder_that_cannot_renew_stops_before_anyone_else_may_begin() -> None:
    async def script(shelf: Shelf) -> None:
        task = await holding(candidate(shelf, "a"))
        await asyncio.sleep(20)
        shelf.away = True
        renewed = shelf.writes[-1][0]
        with pytest.raises(Lost):
            await task
        assert now() - renewed <= 8.1

    sail(script)


def test_a_holder_that_slept_for_as_long_as_the_lease_lasts_has_nothing_to_write_with() -> None:
    """A stopped process that wakes must not go on with what it had in mind: another one may be at work already."""

    async def script(shelf: Shelf) -> None:
        first = candidate(shelf, "a")
        await first.acquire()
        await asyncio.sleep(9.9)
        assert first.fencing == 1
        await asyncio.sleep(0.2)
        with pytest.raises(Lost):
            _ = first.fencing

    sail(script)


def test_a_holder_ends_when_somebody_else_has_it() -> None:
    async def script(shelf: Shelf) -> None:
        first = candidate(shelf, "a")
        task = await holding(first)
        assert shelf.record is not None
        await shelf.write(Record("thief", 7), over=shelf.record)
        with pytest.raises(Lost):
            await task
        with pytest.raises(Lost):
            _ = first.fencing

    sail(script)


def test_a_renewal_whose_answer_was_lost_is_still_ours() -> None:
    async def script(shelf: Shelf) -> None:
        task = await holding(candidate(shelf, "a"))
        shelf.lose_the_next_answer = True
        await asyncio.sleep(30)
        assert not task.done()
        await killed(task)

    sail(script)


def test_the_time_without_an_api_server_is_nobodys_silence() -> None:
    async def script(shelf: Shelf) -> None:
        task = await holding(candidate(shelf, "a"))
        waiting = asyncio.create_task(candidate(shelf, "b", patience=15.0, waits=True).acquire())
        await asyncio.sleep(9)
        shelf.away = True
        await asyncio.sleep(5)
        shelf.away = False
        await asyncio.sleep(9)
        assert not waiting.done()
        await killed(task)
        await killed(waiting)

    sail(script)


def test_the_patient_one_waits_fifteen_seconds_even_when_it_was_given_back() -> None:
    async def script(shelf: Shelf) -> None:
        first = candidate(shelf, "a")
        await first.acquire()
        await first.release()
        given_back = now()
        await candidate(shelf, "janitor", patience=15.0, waits=True).acquire()
        assert 15 <= now() - given_back <= 15.6

    sail(script)


def test_two_that_race_for_it_never_both_hold_it() -> None:
    async def script(shelf: Shelf) -> None:
        first, second = candidate(shelf, "a"), candidate(shelf, "b")
        tasks = [asyncio.create_task(c.acquire()) for c in (first, second)]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == 1
        for task in pending:
            await killed(task)

    assert len(sail(script).writes) == 1
