"""Requests through a real Envoy, each known to its client, and what the evidence makes of Envoy's statistics.

`UPDATE_CAPTURES=1 pytest …` writes what Envoy said, for the tests that have none.
"""

import asyncio
import os
from pathlib import Path

import httpx2
import pytest

from seatrial.evidence.ask import Pod
from seatrial.evidence.proxies import Proxies
from seatrial.evidence.question import Protocol, Question
from seatrial.rollout.evidence import Tally
from support.captures import Capture, write
from support.envoy import BINARY, HOST, Envoy, free_port
from support.misbehaving import Misbehaving
from support.scenes import SCENES, SLOWER_THAN, play

pytestmark = pytest.mark.skipif(not BINARY.exists(), reason="no Envoy in the cache: make cluster-up brings one")

CALLER = Pod("shop", "gateway-1-abc", "127.0.0.1")
DATA = Path(__file__).parent / "data"
LOOKS = 14
APART = 0.4  # seconds


class Local:
    """Asks the Envoy on loopback, whatever pod is meant."""

    def __init__(self, envoy: Envoy) -> None:
        self._envoy = envoy
        self._client = httpx2.AsyncClient()
        self.heard = ""

    async def get(self, pod: Pod, *, port: int, path: str) -> bytes:
        answer = await self._client.get(f"http://127.0.0.1:{self._envoy.stats}{path}")
        self.heard = answer.text
        return answer.content

    async def aclose(self) -> None:
        await self._client.aclose()


@pytest.fixture(scope="module")
def dead() -> int:
    """A port that nobody listens on."""
    return free_port()


def questions() -> dict[Protocol, Question]:
    """One for each way to speak."""
    callers = {"shop/gateway": [CALLER]}
    numbers: dict[Protocol, list[int]] = {}
    for number, scene in enumerate(SCENES, 1):
        numbers.setdefault(scene.protocol, []).append(number)
    return {
        spoken: Question(
            HOST, callers, tuple(of), slower_than=None if spoken == "tcp" else SLOWER_THAN, protocol=spoken
        )
        for spoken, of in numbers.items()
    }


async def test_every_request_counts_as_what_became_of_it(tmp_path: Path, dead: int) -> None:
    async with Misbehaving() as backend, Misbehaving(http2=True) as grpc:
        ports = {n: dead if s.dead else backend.port for n, s in enumerate(SCENES, 1) if s.protocol != "grpc"}
        grpcs = {n: dead if s.dead else grpc.port for n, s in enumerate(SCENES, 1) if s.protocol == "grpc"}
        envoy = Envoy(tmp_path, ports, grpcs)
        await asyncio.to_thread(envoy.start)
        try:
            counted, captures = await _look_on(envoy)
        finally:
            await asyncio.to_thread(envoy.stop)
    if os.environ.get("UPDATE_CAPTURES"):
        write(DATA / "scenes.txt", captures)
    told = {scene.title: counted[number] for number, scene in enumerate(SCENES, 1)}
    assert told == {scene.title: scene.counts for scene in SCENES}


async def _look_on(envoy: Envoy) -> tuple[dict[int, Tally], list[Capture]]:
    """Play, and look all the while."""
    local, now = Local(envoy), asyncio.get_running_loop().time
    asked = questions()
    sources = {spoken: Proxies(local) for spoken in asked}
    counted = dict.fromkeys(range(1, len(SCENES) + 1), Tally())
    captures = []
    began = now()
    http, http2 = httpx2.AsyncClient(), httpx2.AsyncClient(http1=False, http2=True)
    for spoken, question in asked.items():
        await sources[spoken].look(question, now())
    playing = asyncio.create_task(play(envoy, http, http2))
    for _ in range(LOOKS):
        await asyncio.sleep(APART)
        for spoken, question in asked.items():
            at = now()
            look = await sources[spoken].look(question, at)
            captures.append(Capture(at - began, spoken, local.heard))
            assert not look.silent
            assert not look.suspect
            for revision, tally in look.tallies.items():
                assert min(tally.parts) >= 0
                counted[revision] += tally
    await playing
    for client in (local, http, http2):
        await client.aclose()
    return counted, captures
