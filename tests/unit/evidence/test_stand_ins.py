"""The stand-ins for sidecars and istiod that many services are measured with speak as the real ones do."""

import asyncio
import re
from pathlib import Path

import httpx2
import pytest

from seatrial.evidence.envoy import Counted, stats_path
from seatrial.evidence.figures import HERE, inbound_path, outbound_path, read
from seatrial.evidence.istiod import Config, parse_syncz
from support import sidecars as stand_ins
from support.awaiting import eventually
from support.envoy import BINARY, HOST, Envoy, free_port
from support.misbehaving import Misbehaving
from support.pilot import Pilot
from support.sidecars import Aboard, Sidecars, Traffic

CALLER = Aboard("front-1-x.shop", "front.shop.svc.cluster.local", 1)
CALLEE = Aboard("orders-1-x.shop", HOST, 1)
_SERIES = re.compile(r"^(?P<name>\w+)\{(?P<labels>[^}]*)\}", re.MULTILINE)


def shape(page: str) -> set[tuple[str, tuple[str, ...]]]:
    """Names of series with the names of their labels, and the bounds of histograms."""
    return {
        (found["name"], tuple(label.partition("=")[0] for label in found["labels"].split(",")))
        for found in _SERIES.finditer(page)
    } | {("le", (bound,)) for bound in re.findall(r'le="([^"]+)"', page)}


class Asked:
    """A sidecar and its callee, 200 requests a second, of which the second revision gets 10 % and fails half."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.port = free_port()
        monkeypatch.setattr(stand_ins, "PORT", self.port)
        self.now = 1000.0
        traffic = Traffic(200.0, {1: 90, 2: 10}, {2: 0.5}, {1: 2, 2: 1})
        self.sidecars = Sidecars(lambda _: traffic, clock=lambda: self.now)

    async def get(self, ip: str, path: str) -> str:
        async with httpx2.AsyncClient() as client:
            return (await client.get(f"http://{ip}:{self.port}{path}")).text


async def test_counters_go_on_as_rate_weights_and_failures_say(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(monkeypatch)
    await asked.sidecars.begin("127.0.0.2", CALLER)
    first = read(await asked.get("127.0.0.2", outbound_path([HOST])))[0][HOST]
    asked.now += 1.0
    then = read(await asked.get("127.0.0.2", outbound_path([HOST])))[0][HOST]
    asked.sidecars.close()
    came = then[1].counts["upstream_rq_total"] - first[1].counts["upstream_rq_total"]
    assert 120 < came < 260
    assert 5 < then[2].counts["upstream_rq_total"] < 45
    assert 0 < then[2].codes[503] < then[2].counts["upstream_rq_total"]
    assert not then[1].codes[503]


async def test_a_callee_tells_what_came_in_and_a_caller_what_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(monkeypatch)
    await asked.sidecars.begin("127.0.0.3", CALLEE)
    figures, uptime = read(await asked.get("127.0.0.3", inbound_path()))
    busy = Counted(await asked.get("127.0.0.3", stats_path(HOST)), HOST)
    healthy = await asked.get("127.0.0.3", rf"/stats/prometheus?filter=outbound|80|r2|{HOST};?\.membership_healthy")
    asked.sidecars.close()
    assert set(figures) == {HERE}
    assert uptime == 0
    assert busy.connections[1] == 2
    assert healthy.startswith("envoy_cluster_membership_healthy{")
    assert asked.sidecars.looks[CALLEE.proxy]


@pytest.mark.skipif(not BINARY.exists(), reason="no Envoy in the cache: make cluster-up brings one")
async def test_a_page_has_the_series_of_a_real_envoy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Misbehaving() as backend, httpx2.AsyncClient() as client:
        envoy = Envoy(tmp_path, {1: backend.port})
        await asyncio.to_thread(envoy.start)
        try:
            for code in (200, 503):
                await client.get(f"http://127.0.0.1:{envoy.http}/r1/plain/{code}")
            url = f"http://127.0.0.1:{envoy.stats}{outbound_path([HOST])}"

            async def flushed() -> str:
                page = (await client.get(url)).text
                return page if "_time_bucket" in page else ""

            real = await eventually(flushed, within=10, what="its histograms are flushed")
        finally:
            await asyncio.to_thread(envoy.stop)
    asked = Asked(monkeypatch)
    await asked.sidecars.begin("127.0.0.4", CALLER)
    path = outbound_path([HOST])
    await asked.get("127.0.0.4", path)
    asked.now += 10.0
    ours = await asked.get("127.0.0.4", path)
    asked.sidecars.close()
    spoken = {name.replace("http1", "http2") for name, _ in shape(real)}
    assert {name for name, _ in shape(ours)} == spoken
    assert {s for s in shape(ours) if s[0] == "le"} == {s for s in shape(real) if s[0] == "le"}


async def test_istiod_tells_its_store_and_that_every_proxy_took_the_last_push() -> None:
    pilot = Pilot(lambda: ["front-1-x.shop"])
    await pilot.start()
    route = {"route": [{"destination": {"host": HOST, "subset": "r3"}, "weight": 100}]}
    pilot.take("ADDED", {"kind": "VirtualService", "metadata": {"uid": "1"}, "spec": {"http": [route]}})
    async with httpx2.AsyncClient() as client:
        config = Config((await client.get(f"{pilot.url}/debug/configz")).content)

        async def taken() -> bool:
            sync = parse_syncz((await client.get(f"{pilot.url}/debug/syncz")).content)["front-1-x.shop"]
            return sync.acknowledged and sync.route == 2

        await eventually(taken, within=10, what="the proxy took the push of the route")
    await pilot.stop()
    assert config.of(HOST).splits
    assert pilot.weights(HOST) == {3: 100}
