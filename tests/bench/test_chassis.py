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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from threading import Thread

import httpx

from chassis.local import Process
from support.waiting import eventually

ROUNDS, SECONDS, CONNECTIONS = 7, 1.5, 16
REQUESTS = {"one product": "/v1/products/rope-01", "all products": "/v1/products"}


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


@contextmanager
def bare() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    app = Path(__file__).parent / "apps" / "bare.py"
    process = subprocess.Popen([sys.executable, str(app)], env={**os.environ, "PORT": str(port)})
    try:
        eventually(lambda: _is_ready(port), within=30, every=0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").is_success
    except httpx.ConnectError:
        return False


@contextmanager
def chassis(**env: str) -> Iterator[int]:
    process = Process("catalog", env=env, quiet=True).await_ready()
    try:
        yield int(process.url.rpartition(":")[2])
    finally:
        process.stop()


async def throughput(port: int, path: str) -> float:
    """Requests a second over connections that are kept alive, each sending when it was answered."""
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
    return done / SECONDS


def test_throughput_with_the_chassis_as_a_ratio_to_bare_fastapi(machine: str) -> None:
    with (
        collector() as endpoint,
        bare() as plain,
        chassis() as quiet,
        chassis(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as traced,
        chassis(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, LOG_LEVEL="debug") as logged,
        chassis(
            OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
            OTEL_TRACES_SAMPLER="parentbased_traceidratio",
            OTEL_TRACES_SAMPLER_ARG="0.1",
        ) as sampled,
    ):
        arms = {
            "bare FastAPI": plain,
            "chassis, no collector": quiet,
            "chassis, every request traced": traced,
            "chassis, one request in ten traced": sampled,
            "chassis, every request traced and logged": logged,
        }
        print(f"\n{machine}")
        for title, path in REQUESTS.items():
            rounds = [{arm: asyncio.run(throughput(port, path)) for arm, port in arms.items()} for _ in range(ROUNDS)]
            for arm in arms:
                ratio = median(one[arm] / one["bare FastAPI"] for one in rounds)
                print(f"{title:14} {arm:48} {median(one[arm] for one in rounds):7.0f}/s  {ratio:5.0%}")
