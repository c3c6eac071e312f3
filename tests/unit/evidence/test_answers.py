"""istiod's answers, shared by whoever asks the same within a moment."""

import asyncio
from random import Random

from seatrial.evidence.answers import Istiods
from seatrial.evidence.ask import Pod

ISTIODS = [Pod("istio-system", "istiod", "127.0.0.1")]


class Slow:
    """An istiod that takes some turns of the loop for an answer."""

    def __init__(self, random: Random) -> None:
        self.asked = 0
        self._random = random

    async def get(self, pod: Pod, *, port: int, path: str) -> bytes:
        self.asked += 1
        for _ in range(self._random.randrange(4)):
            await asyncio.sleep(0)
        return b"[]"


async def test_many_who_ask_at_once_share_an_answer() -> None:
    slow = Slow(Random(1))  # noqa: S311 # must repeat, not be secret
    istiods = Istiods(slow)
    await asyncio.gather(*(istiods.syncs(ISTIODS, 0.0) for _ in range(20)))
    assert slow.asked == 1


async def test_everybody_gets_an_answer_however_old_those_of_others_are() -> None:
    random = Random(1)  # noqa: S311 # likewise
    istiods = Istiods(Slow(random))

    async def one(at: float, *, store: bool, fresh: bool) -> None:
        for _ in range(random.randrange(6)):
            await asyncio.sleep(0)
        if store:
            await istiods.configs(ISTIODS, at)
        else:
            await istiods.syncs(ISTIODS, at, fresh=fresh)

    for turn in range(200):
        wishes = [(3.0 * (turn + random.random()), random.random() < 0.5, random.random() < 0.3) for _ in range(8)]
        await asyncio.gather(*(one(at, store=store, fresh=fresh) for at, store, fresh in wishes))
