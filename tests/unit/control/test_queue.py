import asyncio
from collections.abc import Awaitable, Callable

import pytest

from seatrial.control.queue import KeyedQueue
from support.clock import now, virtually

Work = Callable[[str], Awaitable[float | None]]


def sail(script: Callable[["Log"], Awaitable[None]], *, workers: int = 8, **passes: float) -> "Log":
    """Run a queue beside `script` until the script ends; `passes` are seconds that a pass of a key takes."""
    log = Log(passes)

    async def main() -> Log:
        log.queue = KeyedQueue(
            log.work, workers=workers, failed=log.failed, waited=log.waited.append, jitter=lambda _, most: most
        )
        runner = asyncio.create_task(log.queue.run())
        await script(log)
        runner.cancel()
        await asyncio.gather(runner, return_exceptions=True)
        return log

    return virtually(main())


class Log:
    def __init__(self, passes: dict[str, float]) -> None:
        self.passes = passes
        self.begun: list[tuple[float, str]] = []
        self.under_way: list[str] = []
        self.most = 0
        self.twice = False
        self.errors: list[float] = []
        self.waited: list[float] = []
        self.raises = 0
        self.again: float | None = None
        self.queue: KeyedQueue[str]

    async def work(self, key: str) -> float | None:
        self.twice |= key in self.under_way
        self.begun.append((now(), key))
        self.under_way.append(key)
        self.most = max(self.most, len(self.under_way))
        try:
            await asyncio.sleep(self.passes.get(key, 0))
        finally:
            self.under_way.remove(key)
        if self.raises:
            self.raises -= 1
            raise ValueError(key)
        return self.again

    def failed(self, key: str, error: Exception, after: float) -> None:
        assert str(error) == key
        self.errors.append(after)


def test_a_key_is_passed_once_however_often_it_was_added() -> None:
    async def script(log: Log) -> None:
        for _ in range(5):
            log.queue.add("a")
        await asyncio.sleep(1)

    assert sail(script).begun == [(0.0, "a")]


def test_a_key_added_during_its_own_pass_is_passed_again_after_it() -> None:
    async def script(log: Log) -> None:
        log.queue.add("a")
        await asyncio.sleep(1)
        log.queue.add("a")
        log.queue.add("a")
        await asyncio.sleep(20)

    log = sail(script, a=3)
    assert log.begun == [(0.0, "a"), (3.0, "a")]
    assert not log.twice


def test_how_long_a_key_waited_for_its_turn_is_told() -> None:
    async def script(log: Log) -> None:
        log.queue.add("a", after=1)
        log.queue.add("b", after=2)
        await asyncio.sleep(10)

    assert sail(script, workers=1, a=3).waited == [0.0, 2.0]


def test_what_goes_first_passes_all_that_wait() -> None:
    async def script(log: Log) -> None:
        for key in ("a", "b", "c"):
            log.queue.add(key)
        await asyncio.sleep(1)
        log.queue.add("d", first=True)
        log.queue.add("c", first=True)
        await asyncio.sleep(20)

    log = sail(script, workers=1, a=2, b=2, c=2, d=2)
    assert log.begun == [(0.0, "a"), (2.0, "d"), (4.0, "c"), (6.0, "b")]


def test_what_goes_first_is_never_passed_twice_at_a_time() -> None:
    async def script(log: Log) -> None:
        log.queue.add("a")
        await asyncio.sleep(1)
        log.queue.add("a", first=True)
        await asyncio.sleep(20)

    log = sail(script, a=2)
    assert log.begun == [(0.0, "a"), (2.0, "a")]
    assert not log.twice


def test_the_earliest_wish_wins() -> None:
    async def script(log: Log) -> None:
        log.queue.add("a", after=10)
        log.queue.add("a", after=5)
        log.queue.add("a", after=20)
        await asyncio.sleep(60)

    assert sail(script).begun == [(5.0, "a")]


def test_a_pass_that_wants_to_look_again_is_passed_again_then() -> None:
    async def script(log: Log) -> None:
        log.again = 1.0
        log.queue.add("a")
        await asyncio.sleep(3.5)

    assert [at for at, _ in sail(script).begun] == [0.0, 1.0, 2.0, 3.0]


def test_failures_back_off_and_a_success_forgets_them() -> None:
    async def script(log: Log) -> None:
        log.raises = 3
        log.queue.add("a")
        await asyncio.sleep(60)
        log.raises = 1
        log.queue.add("a")
        await asyncio.sleep(60)

    log = sail(script)
    assert log.errors == [0.25, 0.5, 1.0, 0.25]
    assert [at for at, _ in log.begun] == [0.0, 0.25, 0.75, 1.75, 60.0, 60.25]


def test_a_failure_never_waits_longer_than_half_a_minute() -> None:
    async def script(log: Log) -> None:
        log.raises = 40
        log.queue.add("a")
        await asyncio.sleep(3600)

    assert max(sail(script).errors) == 30.0


def test_no_more_passes_run_at_once_than_there_are_workers() -> None:
    async def script(log: Log) -> None:
        for key in "abcdefg":
            log.queue.add(key)
        await asyncio.sleep(100)

    log = sail(script, workers=2, **dict.fromkeys("abcdefg", 4.0))
    assert log.most == 2
    assert [key for _, key in log.begun] == list("abcdefg")


def test_a_busy_key_does_not_keep_others_from_running() -> None:
    async def script(log: Log) -> None:
        log.queue.add("slow")
        await asyncio.sleep(1)
        log.queue.add("slow")
        log.queue.add("quick")
        await asyncio.sleep(100)

    assert sail(script, slow=50).begun == [(0.0, "slow"), (1.0, "quick"), (50.0, "slow")]


def test_depth_counts_what_is_due_and_waits() -> None:
    async def script(log: Log) -> None:
        for key in "abc":
            log.queue.add(key)
        log.queue.add("later", after=30)
        await asyncio.sleep(1)
        assert log.queue.depth == 2

    sail(script, workers=1, a=5, b=5, c=5)


def test_stopping_ends_the_passes_under_way() -> None:
    async def script(log: Log) -> None:
        log.queue.add("a")
        await asyncio.sleep(1)
        assert log.under_way == ["a"]

    assert sail(script, a=1000).under_way == []


def test_virtual_time_says_so_when_everybody_waits_forever() -> None:
    with pytest.raises(RuntimeError, match="never happen"):
        virtually(asyncio.Event().wait())
