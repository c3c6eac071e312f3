"""Liveness, readiness and metrics over HTTP, outside Kopf: a standby that waits for the Lease is healthy too."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

HEALTH_PORT = 8081
METRICS_PORT = 8080
SILENCE = 60.0  # seconds without a beat after which the process is taken for stuck


@dataclass
class Health:
    """What the probes ask: `beat` is called whenever the process moves, and `ready` says that its caches are full."""

    clock: Callable[[], float] = time.monotonic
    ready: Callable[[], bool] = lambda: False
    standby: bool = False
    _last: float = field(init=False)

    def __post_init__(self) -> None:
        self._last = self.clock()

    def beat(self) -> None:
        """The process moves."""
        self._last = self.clock()

    @property
    def alive(self) -> bool:
        """Whether it moved lately."""
        return self.clock() - self._last < SILENCE

    @property
    def state(self) -> str:
        """For people: standby, starting or ready."""
        return "standby" if self.standby else "ready" if self.ready() else "starting"


@asynccontextmanager
async def serve(
    health: Health,
    *,
    host: str = "0.0.0.0",  # noqa: S104 # kubelet and Prometheus come from outside the pod
    health_port: int = HEALTH_PORT,
    metrics_port: int = METRICS_PORT,
) -> AsyncIterator[None]:
    """Answer while the context is open. Raises OSError when a port is taken."""

    async def livez(_: web.Request) -> web.Response:
        if health.alive:
            return web.Response(text="ok\n")
        return web.Response(status=503, text=f"nothing moved for {SILENCE:.0f} s\n")

    async def readyz(_: web.Request) -> web.Response:
        ready = health.standby or health.ready()
        return web.Response(status=200 if ready else 503, text=f"{health.state}\n")

    async def metrics(_: web.Request) -> web.Response:
        page = await asyncio.to_thread(generate_latest)  # of hundreds of services it takes long
        return web.Response(body=page, headers={"Content-Type": CONTENT_TYPE_LATEST})

    probes, scrapes = web.Application(), web.Application()
    probes.add_routes([web.get("/livez", livez), web.get("/readyz", readyz)])
    scrapes.add_routes([web.get("/metrics", metrics)])
    runners = [
        (web.AppRunner(probes, access_log=None), health_port),
        (web.AppRunner(scrapes, access_log=None), metrics_port),
    ]
    try:
        for runner, port in runners:
            await runner.setup()
            await web.TCPSite(runner, host, port).start()
        yield
    finally:
        for runner, _ in runners:
            await runner.cleanup()
