"""The end of a process loses no request: not one under way, not one on a connection kept alive, not one on its way."""

import asyncio
import itertools
import signal
import socket
from http.client import HTTPResponse
from typing import Self

import httpx
import pytest

from chassis.lifecycle import Lifecycle
from chassis.local import Process
from support.processes import Start
from support.waiting import eventually

PATH = "/v1/products/rope-01"


class Connection:
    """One connection, kept alive."""

    def __init__(self, process: Process) -> None:
        host, port = process.url.removeprefix("http://").split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=10)

    def send(self, *headers: str) -> None:
        lines = [f"GET {PATH} HTTP/1.1", "host: catalog", *headers, "", ""]
        self._socket.sendall("\r\n".join(lines).encode())

    def receive(self) -> HTTPResponse:
        answer = HTTPResponse(self._socket)
        answer.begin()
        assert answer.status == 200
        assert b"rope-01" in answer.read()
        return answer

    def at_end(self) -> bool:
        return self._socket.recv(1) == b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def is_ready(process: Process) -> bool:
    return httpx.get(process.url + "/readyz").is_success


def test_no_request_is_lost_when_one_of_two_ends_in_mid_traffic(start: Start) -> None:
    """Callers send to who is ready, as Kubernetes sees it; nobody repeats anything."""
    leaving = start("catalog", POD_NAME="leaving", SHUTDOWN_SETTLE="500ms")
    staying = start("catalog", POD_NAME="staying", SHUTDOWN_SETTLE="500ms")
    counts = asyncio.run(_traffic_while_ending(leaving, staying))
    assert leaving.wait(10) == 0
    assert counts["after"] > 20, "traffic went on after the end"
    assert counts["leaving after SIGTERM"] > 0, "the one that leaves still served"


async def _traffic_while_ending(leaving: Process, staying: Process) -> dict[str, int]:
    endpoints, counts = {leaving.url, staying.url}, dict.fromkeys(("before", "after", "leaving after SIGTERM"), 0)
    told, done = asyncio.Event(), asyncio.Event()

    async def send(client: httpx.AsyncClient) -> None:
        for turn in itertools.count():
            if done.is_set():
                return
            answer = await client.get(sorted(endpoints)[turn % len(endpoints)] + PATH)
            assert answer.status_code == 200
            if told.is_set() and "pod=leaving" in answer.headers["x-served-by"]:
                counts["leaving after SIGTERM"] += 1
            counts["after" if leaving.url not in endpoints else "before"] += 1

    async def orchestrate(client: httpx.AsyncClient) -> None:
        while counts["before"] < 100:
            await client.get(staying.url + "/readyz")
        leaving.signal(signal.SIGTERM)
        told.set()
        while (await client.get(leaving.url + "/readyz")).is_success:
            pass
        endpoints.discard(leaving.url)
        await asyncio.to_thread(leaving.wait, 10)
        done.set()

    async with httpx.AsyncClient(timeout=10) as client, asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(orchestrate(client))
        for _ in range(8):
            group.create_task(send(client))
    return counts


def test_a_request_under_way_is_finished_and_its_connection_closed(start: Start) -> None:
    process = start("catalog", FAULTS="enabled", SHUTDOWN_SETTLE="100ms")
    with Connection(process) as connection:
        connection.send("x-fault: delay=1500ms", "x-fault-service: catalog")
        eventually(lambda: _in_flight(process) == 1, within=5, every=0.02)
        process.signal(signal.SIGTERM)
        answer = connection.receive()
        assert answer.headers["connection"] == "close"
        assert connection.at_end()
        assert process.wait(10) == 0


def _in_flight(process: Process) -> int:
    text = httpx.get(process.url + "/metrics").text
    [line] = [line for line in text.splitlines() if line.startswith("http_server_requests_in_flight ")]
    return int(float(line.split()[1]))


def test_a_connection_kept_alive_is_served_once_more_and_then_told_to_close(start: Start) -> None:
    process = start("catalog", SHUTDOWN_SETTLE="2s")
    with Connection(process) as connection:
        connection.send()
        assert connection.receive().headers["connection"] is None
        process.signal(signal.SIGTERM)
        eventually(lambda: not is_ready(process), within=5, every=0.02)
        connection.send()
        assert connection.receive().headers["connection"] == "close"
        assert connection.at_end()
        assert process.wait(10) == 0


def test_a_connection_that_nobody_uses_does_not_hold_up_the_end(start: Start) -> None:
    process = start("catalog", SHUTDOWN_SETTLE="100ms")
    with Connection(process) as connection:
        connection.send()
        connection.receive()
        process.signal(signal.SIGTERM)
        assert process.wait(5) == 0
        assert connection.at_end()


def test_readiness_goes_first_and_liveness_stays(start: Start) -> None:
    process = start("catalog", SHUTDOWN_SETTLE="1s")
    assert is_ready(process)
    process.signal(signal.SIGTERM)
    eventually(lambda: not is_ready(process), within=5, every=0.02)
    assert httpx.get(process.url + "/livez").status_code == 200
    assert httpx.get(process.url + PATH).status_code == 200
    assert process.wait(10) == 0


def test_a_developers_interrupt_does_not_wait_for_callers(start: Start) -> None:
    process = start("catalog", SHUTDOWN_SETTLE="30s")
    assert is_ready(process)
    process.signal(signal.SIGINT)
    assert process.wait(5) == 0


def test_a_request_that_never_ends_does_not_hold_up_the_end_for_ever(start: Start) -> None:
    process = start("catalog", FAULTS="enabled", SHUTDOWN_SETTLE="100ms", SHUTDOWN_DRAIN="300ms")
    with Connection(process) as connection:
        connection.send("x-fault: delay=60s", "x-fault-service: catalog")
        eventually(lambda: _in_flight(process) == 1, within=5, every=0.02)
        process.signal(signal.SIGTERM)
        process.wait(10)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_it_may_stop_when_callers_had_their_time_and_are_quiet(clock: Clock) -> None:
    lifecycle = Lifecycle(settle=5, drain=25, clock=clock)
    lifecycle.start()
    assert lifecycle.ready
    assert not lifecycle.may_stop()
    lifecycle.begin_drain()
    assert not lifecycle.ready
    clock.now += 4.9
    assert not lifecycle.may_stop()
    lifecycle.begin_request()
    clock.now += 1
    assert not lifecycle.may_stop(), "a request is under way"
    lifecycle.end_request()
    assert not lifecycle.may_stop(), "one has just come, so there may be more"
    clock.now += 0.5
    assert lifecycle.may_stop()


def test_it_stops_at_the_latest_when_the_drain_time_is_over(clock: Clock) -> None:
    lifecycle = Lifecycle(settle=5, drain=25, clock=clock)
    lifecycle.start()
    lifecycle.begin_drain()
    lifecycle.begin_request()
    clock.now += 24.9
    lifecycle.begin_drain()
    assert not lifecycle.may_stop()
    clock.now += 0.1
    assert lifecycle.may_stop()
    assert lifecycle.time_left() == 1.0
