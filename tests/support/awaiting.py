"""Waiting in an event loop, for what happens in the same loop: as `waiting`, with a deadline and what was last seen."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def eventually(check: Callable[[], Awaitable[T]], *, within: float, every: float = ..., what: str = ...) -> T: ...
@overload
async def eventually(check: Callable[[], T], *, within: float, every: float = ..., what: str = ...) -> T: ...
async def eventually(check: Callable[[], Any], *, within: float, every: float = 0.01, what: str = "") -> Any:
    """Call `check` until it returns something true, and give that. After `within` seconds an AssertionError."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        last_look = loop.time() >= deadline
        result = check()
        seen = await result if isinstance(result, Awaitable) else result
        if seen:
            return seen
        assert not last_look, (
            f"{what or getattr(check, '__name__', 'it')}: not within {within:g} s; last seen: {seen!r}"
        )
        await asyncio.sleep(every)
