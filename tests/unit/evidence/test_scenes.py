"""What a real Envoy said while requests came to all kinds of ends, read again: each counts as what became of it.

One test for each of Envoy's traps; `test_envoy_itself.py` wrote the pages down.
"""

from pathlib import Path

import pytest

from seatrial.evidence.ask import Pod
from seatrial.evidence.proxies import Proxies
from seatrial.evidence.question import Protocol, Question
from seatrial.rollout.evidence import Tally
from support.captures import read
from support.envoy import HOST
from support.scenes import SCENES, SLOWER_THAN, Scene

DATA = Path(__file__).parent / "data"
CALLERS = {"shop/gateway": [Pod("shop", "gateway-1-abc", "10.0.0.1")]}


class Said:
    """A proxy that says again what it said."""

    def __init__(self) -> None:
        self.page = ""

    async def get(self, pod: Pod, *, port: int, path: str) -> bytes:
        return self.page.encode()


async def looks(spoken: Protocol) -> list[tuple[float, dict[int, Tally]]]:
    """What each page brought, and when."""
    said = Said()
    proxies = Proxies(said)
    question = Question(HOST, CALLERS, tuple(range(1, len(SCENES) + 1)), slower_than=SLOWER_THAN, protocol=spoken)
    await proxies.look(question, 0.0)
    found = []
    for capture in read(DATA / "scenes.txt"):
        if capture.kind == spoken:
            said.page = capture.page
            found.append((capture.at, dict((await proxies.look(question, capture.at)).tallies)))
    return found


async def counted(title: str) -> Tally:
    number, scene = next((n, s) for n, s in enumerate(SCENES, 1) if s.title == title)
    return sum((tallies[number] for _, tallies in await looks(scene.protocol)), Tally())


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.title)
async def test_a_request_counts_once_as_what_became_of_it(scene: Scene) -> None:
    assert await counted(scene.title) == scene.counts


@pytest.mark.parametrize("spoken", ["http", "grpc", "tcp"])
async def test_nothing_is_ever_taken_back(spoken: Protocol) -> None:
    assert all(min(tally.parts) >= 0 for _, tallies in await looks(spoken) for tally in tallies.values())


async def test_more_is_never_slow_than_is_timed() -> None:
    for _, tallies in await looks("http"):
        assert all(tally.slow <= tally.timed for tally in tallies.values())
