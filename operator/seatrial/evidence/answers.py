"""istiod's answers, shared by all services that ask the same within a moment: one gateway calls them all.

An answer that is a moment old never says that something is carried which isn't: what was stored and acknowledged only
goes forward. Who needs to know how it is now shares an answer that was asked for after that.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

from seatrial.evidence.ask import Ask, Pod
from seatrial.evidence.istiod import Config, Sync, parse_syncz

DEBUG_PORT = 15014
SYNCZ = "/debug/syncz"
CONFIGZ = "/debug/configz"
MOMENT = 0.7  # seconds

T = TypeVar("T")


@dataclass(frozen=True)
class _Answer:
    at: float
    number: int  # of the question
    value: object


class Istiods:
    """Asks each question once a moment, however many want to know."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._answers: dict[tuple[str, str], _Answer] = {}
        self._asking: dict[tuple[str, str], asyncio.Lock] = {}
        self._asked = 0

    async def syncs(self, istiods: Sequence[Pod], now: float, *, fresh: bool = False) -> dict[str, tuple[Pod, Sync]]:
        """By proxy: the istiod it is connected to, and what is sent and acknowledged; `fresh`: as of now."""
        answers = await asyncio.gather(*(self._shared(i, SYNCZ, parse_syncz, now, fresh=fresh) for i in istiods))
        return {
            proxy: (istiod, sync)
            for istiod, syncs in zip(istiods, answers, strict=True)
            for proxy, sync in syncs.items()
        }

    async def configs(self, istiods: Sequence[Pod], now: float) -> list[Config]:
        """The store of each istiod."""
        return list(await asyncio.gather(*(self._shared(i, CONFIGZ, Config, now) for i in istiods)))

    async def _shared(
        self, istiod: Pod, path: str, read: Callable[[bytes], T], now: float, *, fresh: bool = False
    ) -> T:
        key, asked = (istiod.name, path), self._asked
        async with self._asking.setdefault(key, asyncio.Lock()):
            known = self._answers.get(key)
            if known is not None and (known.number > asked if fresh else 0 <= now - known.at < MOMENT):
                return cast("T", known.value)
            self._asked = number = self._asked + 1
            value = read(await self._get(istiod, path))
            self._forget_old(now)
            self._answers[key] = _Answer(now, number, value)
            return value

    async def _get(self, istiod: Pod, path: str) -> bytes:
        return await self._ask.get(istiod, port=DEBUG_PORT, path=path)

    def _forget_old(self, now: float) -> None:
        """A lock that is free may have been promised to somebody already: who comes then asks beside him."""
        for key in [k for k, answer in self._answers.items() if now - answer.at >= MOMENT]:
            del self._answers[key]
            if (asking := self._asking.get(key)) is not None and not asking.locked():
                del self._asking[key]
