"""What the chassis costs: the catalog's throughput as a ratio to the same handlers without it, in the same run.

Needs no cluster: ``pytest tests/bench/test_chassis.py -s``. Rounds alternate, so that a busy machine slows all alike.
"""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from threading import Thread
from typing import NamedTuple

import httpx

from chassis.local import Process
from support.waiting import eventually

ROUNDS, SECONDS, CONNECTIONS = 7, 1.5, 16
REQUESTS = {"one product": "/v1/products/rope-01", "all products": "/v1/products"}


class Figures(NamedTuple):
    """Requests a second, and CPU time of the server in microseconds a request."""

    rate: float
    cpu: float


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
    with ThreadingHTTPServer(("127.0.0.1", 0), _Sink) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class Server:
    """Something to measure."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """CPU time that the process has used, in user and kernel mode."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def bare() -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    app = Path(__file__).parent / "apps" / "bare.py"
    process = subprocess.Popen([sys.executable, str(app)], env={**os.environ, "PORT": str(port)})
    try:
        eventually(lambda: _is_ready(port), within=30, every=0.05)
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
def chassis(**env: str) -> Iterator[Server]:
    process = Process("catalog", env={"OTEL_BSP_SCHEDULE_DELAY": "200", **env}, quiet=True).await_ready()
    try:
        yield Server(int(process.url.rpartition(":")[2]), process.pid)
    finally:
        process.stop()


async def requests_in_a_round(port: int, path: str) -> int:
    """Requests over connections that are kept alive, each sending when it was answered."""
    done, end = 0, time.perf_counter() + SECONDS
    request = f"GET {path} HTTP/1.1\r\nhost: catalog\r\n\r\n".encode()

    async def ask() -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert head.startswith(b"http/1.1 200")
            await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r")[0]))
            done += 1
        writer.close()
        await writer.wait_closed()

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(ask())
    return done


def measured(server: Server, path: str) -> Figures:
    before = server.cpu_seconds()
    done = asyncio.run(requests_in_a_round(server.port, path))
    return Figures(rate=done / SECONDS, cpu=1e6 * (server.cpu_seconds() - before) / done)


def test_throughput_with_the_chassis_as_a_ratio_to_bare_fastapi(machine: str) -> None:
    ten_percent = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}
    with (
        collector() as endpoint,
        bare() as plain,
        chassis() as quiet,
        chassis(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **ten_percent) as sampled,
        chassis(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as traced,
        chassis(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, LOG_LEVEL="debug") as logged,
    ):
        arms = {
            "bare FastAPI": plain,
            "chassis, no collector": quiet,
            "chassis, one request in ten traced": sampled,
            "chassis, every request traced": traced,
            "chassis, every request traced and logged": logged,
        }
        print(f"\n{machine}; ratios to bare FastAPI of the same round, by throughput and by CPU time a request")
        for title, path in REQUESTS.items():
            rounds = [{arm: measured(server, path) for arm, server in arms.items()} for _ in range(ROUNDS)]
            for arm in arms:
                rate, cpu = (median(getattr(one[arm], field) for one in rounds) for field in ("rate", "cpu"))
                by_rate = median(one[arm].rate / one["bare FastAPI"].rate for one in rounds)
                by_cpu = median(one["bare FastAPI"].cpu / one[arm].cpu for one in rounds)
                print(f"{title:13} {arm:41} {rate:6.0f}/s {by_rate:5.0%}   {cpu:5.0f} µs {by_cpu:5.0%}")
