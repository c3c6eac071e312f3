"""What evidence costs: a proxy that is asked, the reader, and a look at a hundred proxies. Against real Envoys.

They are printed, with the machine, and only their being there is asserted.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from lightkube.config.kubeconfig import KubeConfig

from seatrial.control.asking import Asking
from seatrial.evidence import pages
from seatrial.evidence.ask import Pod
from seatrial.evidence.figures import outbound_path, read
from seatrial.evidence.proxies import Proxies
from seatrial.evidence.question import Question
from seatrial.kube.reach import PodReach
from support.awaiting import eventually
from support.envoy import BINARY, HOST, Envoy
from support.misbehaving import Misbehaving

pytestmark = pytest.mark.skipif(not BINARY.exists(), reason="no Envoy in the cache: make cluster-up brings one")

SCRAPES = 200
LOOKS = 20
PROXIES = 100
PATHS = {
    "one host": outbound_path([HOST]),
    "one host, not how long requests took": outbound_path([HOST], latency=False),
    "everything": "/stats/prometheus?usedonly",
}


@asynccontextmanager
async def envoy(folder: Path, *, others: int = 0, addresses: int = 1) -> AsyncIterator[Envoy]:
    """One that has sent something everywhere, so that all its statistics are in use."""
    async with Misbehaving() as backend, httpx2.AsyncClient() as client:
        one = Envoy(folder, {1: backend.port, 2: backend.port}, others=others, addresses=addresses)
        await asyncio.to_thread(one.start)
        try:
            for path in [
                *(f"/r{r}/plain/{code}" for r in (1, 2) for code in (200, 503)),
                *(f"/o{n}/200" for n in range(others)),
            ]:
                await client.get(f"http://127.0.0.1:{one.http}{path}")

            async def timed() -> bool:
                """Whether it tells of each cluster how long requests took, which it does from flush to flush."""
                page = await asyncio.to_thread(one.page)
                return page.count("\nenvoy_cluster_upstream_rq_time_count{") >= 2 + others

            await eventually(timed, within=10, every=0.1, what="each cluster's histogram is told")
            yield one
        finally:
            await asyncio.to_thread(one.stop)


@pytest.mark.parametrize("others", [0, 30, 300])
@pytest.mark.parametrize("how", list(PATHS))
async def test_what_a_scrape_costs_a_proxy(tmp_path: Path, machine: str, others: int, how: str) -> None:
    async with (
        envoy(tmp_path, others=others) as one,
        httpx2.AsyncClient(headers={"accept-encoding": "identity"}) as client,
    ):
        url = f"http://127.0.0.1:{one.stats}{PATHS[how]}"
        await client.get(url)
        before, took, size = one.cpu_seconds(), [], 0
        for _ in range(SCRAPES):
            began = time.perf_counter()
            size = len((await client.get(url)).content)
            took.append(time.perf_counter() - began)
        cpu = 1000 * (one.cpu_seconds() - before) / SCRAPES
    print(
        f"\nscrape of {how}, proxy that calls {others + 1} services: {cpu:.2f} ms CPU of the proxy, "
        f"{1000 * statistics.median(took):.1f} ms until it is here, {size / 1000:.1f} kB ({machine})"
    )
    assert size


async def test_how_fast_a_page_is_read(tmp_path: Path, machine: str) -> None:
    async with envoy(tmp_path, others=300) as one, httpx2.AsyncClient() as client:
        base = f"http://127.0.0.1:{one.stats}"
        small = (await client.get(base + outbound_path([HOST]))).text
        large = (await client.get(base + "/stats/prometheus?usedonly")).text
    for name, page in (("one host, two revisions", small), ("everything a gateway to 301 services knows", large)):
        runs = 200 if len(page) < 100_000 else 5
        began = time.process_time()
        for _ in range(runs):
            read(page)
        took = (time.process_time() - began) / runs
        print(
            f"\nreading {name}: {1e6 * took:.0f} us, {len(page) / 1000:.0f} kB, {page.count(chr(10))} lines ({machine})"
        )
    assert small


async def test_a_look_at_a_hundred_proxies(tmp_path: Path, machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with envoy(tmp_path, addresses=PROXIES) as one:
        monkeypatch.setattr(pages, "STATS_PORT", one.stats)
        nowhere = KubeConfig.from_server("http://127.0.0.1:1").get()
        assert nowhere
        reach = PodReach(nowhere, direct=True)
        pods = [Pod("shop", f"front-1-{n}", f"127.0.0.{n}") for n in range(1, PROXIES + 1)]
        source = Proxies(Asking(reach))
        question = Question(HOST, {"shop/front": pods}, (1, 2), slower_than=250)
        took, ours, theirs, silent = [], time.process_time(), one.cpu_seconds(), 0
        for look in range(LOOKS):
            began = time.perf_counter()
            silent += len((await source.look(question, float(look))).silent)
            took.append(time.perf_counter() - began)
        ours, theirs = time.process_time() - ours, one.cpu_seconds() - theirs
        await reach.close()
    print(
        f"\nlook at {PROXIES} proxies (one Envoy stands for all): first {1000 * took[0]:.0f} ms, then median "
        f"{1000 * statistics.median(took[1:]):.0f} ms, worst {1000 * max(took[1:]):.0f} ms, {silent} silent; "
        f"CPU a look: ours {1000 * ours / LOOKS:.0f} ms, Envoy's {1000 * theirs / LOOKS:.0f} ms ({machine})"
    )
    assert took
