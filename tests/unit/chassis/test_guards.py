"""Calls to other services by way of a breaker and a bulkhead."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from prometheus_client import CollectorRegistry

from chassis import context
from chassis.breaker import Open, State
from chassis.bulkhead import Full
from chassis.lifecycle import Lifecycle
from chassis.metrics import Metrics
from chassis.outbound import Guards, Upstream, UpstreamTimeout, UpstreamUnavailable
from chassis.resilience import Resilience
from chassis.settings import Settings
from chassis.telemetry import Telemetry
from support.awaiting import eventually


class Bank:
    """A service that answers with the status that its path names; on /hang it never does."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split()[1].decode()
                self.asked[path] += 1
                if path == "/hang":
                    await reader.read()
                    break
                writer.write(f"HTTP/1.1 {path[1:]} as asked\r\ncontent-length: 0\r\n\r\n".encode())
        writer.close()


@pytest.fixture
async def bank() -> AsyncIterator[Bank]:
    stand_in = Bank()
    async with await asyncio.start_server(stand_in.serve, "127.0.0.1", 0) as server:
        stand_in.port = server.sockets[0].getsockname()[1]
        yield stand_in


class Caller:
    """Upstream with its guards."""

    def __init__(self, bank: Bank, *, places: int | None = None) -> None:
        self.resilience = Resilience(CollectorRegistry())
        settings = Settings(SEATRIAL_SERVICE="payments")
        lifecycle = Lifecycle(settle=0, drain=0, clock=lambda: 0.0)
        bulkhead = None if places is None else self.resilience.bulkhead("bank", places)
        self.upstream = Upstream(
            "bank",
            f"http://127.0.0.1:{bank.port}",
            timeout=2.0,
            metrics=Metrics(settings, lifecycle),
            telemetry=Telemetry(settings),
            guards=Guards(self.resilience.breaker, bulkhead),
        )

    async def ask(self, path: str, endpoint: str = "") -> int:
        """The status that was answered."""
        return (await self.upstream.request("GET", path, endpoint=endpoint)).status_code


async def test_answers_that_are_failures_open_the_breaker_of_their_endpoint_alone(bank: Bank) -> None:
    caller = Caller(bank)
    for _ in range(5):
        assert await caller.ask("/503", "charges") == 503
    with pytest.raises(Open):
        await caller.ask("/503", "charges")
    assert bank.asked["/503"] == 5
    assert await caller.ask("/200", "balances") == 200
    assert caller.resilience.breaker("bank charges").state is State.OPEN
    assert caller.resilience.breaker("bank balances").state is State.CLOSED
    await caller.upstream.close()


async def test_answers_that_something_was_asked_wrongly_do_not(bank: Bank) -> None:
    caller = Caller(bank)
    for _ in range(20):
        await caller.ask("/404")
    assert caller.resilience.breaker("bank").state is State.CLOSED
    await caller.upstream.close()


async def test_nobody_there_opens_it(bank: Bank) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        bank.port = free.getsockname()[1]
    caller = Caller(bank)
    for _ in range(5):
        with pytest.raises(UpstreamUnavailable):
            await caller.ask("/200")
    with pytest.raises(Open):
        await caller.ask("/200")
    await caller.upstream.close()


async def test_callers_in_a_hurry_do_not_open_it_for_all(bank: Bank) -> None:
    caller = Caller(bank)
    for _ in range(10):
        with context.resume("r-1", timeout=0.01), pytest.raises(UpstreamTimeout):
            await caller.ask("/hang")
    assert caller.resilience.breaker("bank").state is State.CLOSED
    await caller.upstream.close()


async def test_one_call_too_many_is_refused_while_others_hang(bank: Bank) -> None:
    caller = Caller(bank, places=2)
    hanging = [asyncio.create_task(caller.ask("/hang")) for _ in range(2)]
    await eventually(lambda: bank.asked["/hang"] == 2, within=5)
    with pytest.raises(Full):
        await caller.ask("/200")
    for task in hanging:
        task.cancel()
    await asyncio.wait(hanging)
    assert await caller.ask("/200") == 200
    assert caller.resilience.breaker("bank").state is State.CLOSED, "a full bulkhead is no failure of the other side"
    await caller.upstream.close()
