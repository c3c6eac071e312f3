"""Services with the chassis and without it, each a process on loopback, and how many requests a second they serve."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from threading import Thread
from typing import NamedTuple

import httpx

from chassis.local import Process
from support.machine import cpu_seconds
from support.waiting import eventually

SECONDS, CONNECTIONS = 1.5, 16
APP = Path(__file__).parents[1] / "bench" / "apps" / "bare.py"


class Figures(NamedTuple):
    """Requests a second, and CPU time of the server in microseconds a request."""

    rate: float
    cpu: float


class Ratio(NamedTuple):
    """What an arm did in the middle, and its share of what the first arm did in the same round."""

    rate: float
    cpu: float
    by_rate: float
    by_cpu: float

    def __str__(self) -> str:
        return f"{self.rate:6.0f}/s {self.by_rate:5.0%}   {self.cpu:5.0f} µs {self.by_cpu:5.0%}"


@dataclass(frozen=True)
class Server:
    """Something to measure."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """CPU time that the process has used, in user and kernel mode."""
        return cpu_seconds(self.pid)

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self.port}"


class _Sink(BaseHTTPRequestHandler):
    """A collector that takes all spans and keeps none."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Stay silent."""


@contextmanager
def collector() -> Iterator[str]:
    """The URL of a collector for traces."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Sink) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def bare(service: str, **env: str) -> Iterator[Server]:
    """A service's handlers without the chassis."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, str(APP)], env={**os.environ, **env, "SERVICE": service, "PORT": str(port)}
    )
    try:
        eventually(lambda: _is_ready(port), within=180, every=0.05, what=f"{service} without the chassis serves")
        yield Server(port, process.pid)
    finally:
        process.terminate()
        process.wait(10)


def _is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").is_success
    except httpx.ConnectError:
        return False


@contextmanager
def chassis(service: str, **env: str) -> Iterator[Server]:
    """A service as it is."""
    process = Process(service, env={"OTEL_BSP_SCHEDULE_DELAY": "200", **env}, quiet=True).await_ready()
    try:
        yield Server(int(process.url.rpartition(":")[2]), process.pid)
    finally:
        process.stop()


def compared(arms: Mapping[str, Server], path: str, *, rounds: int) -> dict[str, Ratio]:
    """Each arm against the first. Rounds alternate, so that a busy machine slows all alike."""
    first = next(iter(arms))
    found = [{arm: _measured(server, path) for arm, server in arms.items()} for _ in range(rounds)]
    return {
        arm: Ratio(
            rate=median(one[arm].rate for one in found),
            cpu=median(one[arm].cpu for one in found),
            by_rate=median(one[arm].rate / one[first].rate for one in found),
            by_cpu=median(one[first].cpu / one[arm].cpu for one in found),
        )
        for arm in arms
    }


def _measured(server: Server, path: str) -> Figures:
    before = server.cpu_seconds()
    done = asyncio.run(_requests(server.port, path))
    return Figures(rate=done / SECONDS, cpu=1e6 * (server.cpu_seconds() - before) / done)


async def _requests(port: int, path: str) -> int:
    """Requests over connections that are kept alive, each sending when it was answered."""
    done, end = 0, time.perf_counter() + SECONDS
    request = f"GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n".encode()

    async def ask() -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert head.startswith(b"http/1.1 200"), head
            await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r")[0]))
            done += 1
        writer.close()
        await writer.wait_closed()

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(ask())
    return done
