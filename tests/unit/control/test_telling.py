"""What the operator tells of itself, as probes, logs and metrics see it."""

import json
import logging

import aiohttp
import pytest
from prometheus_client import REGISTRY

from seatrial.control.health import SILENCE, Health, serve
from seatrial.control.telemetry import JsonLines, reconciling


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


async def status(port: int, path: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status


@pytest.fixture
def ports(unused_tcp_port_factory: object) -> tuple[int, int]:
    factory = unused_tcp_port_factory
    return factory(), factory()  # type: ignore[operator]


async def test_a_process_that_moves_is_alive(ports: tuple[int, int]) -> None:
    async with serve(Health(), host="127.0.0.1", health_port=ports[0], metrics_port=ports[1]):
        assert await status(ports[0], "/livez") == 200


async def test_a_process_that_does_not_move_is_not(ports: tuple[int, int]) -> None:
    clock = Clock()
    health = Health(clock=clock)
    clock.now += SILENCE
    async with serve(health, host="127.0.0.1", health_port=ports[0], metrics_port=ports[1]):
        assert await status(ports[0], "/livez") == 503


async def test_readiness_waits_for_full_caches(ports: tuple[int, int]) -> None:
    health = Health()
    async with serve(health, host="127.0.0.1", health_port=ports[0], metrics_port=ports[1]):
        assert await status(ports[0], "/readyz") == 503
        health.ready = lambda: True
        assert await status(ports[0], "/readyz") == 200


async def test_a_standby_is_ready(ports: tuple[int, int]) -> None:
    async with serve(Health(standby=True), host="127.0.0.1", health_port=ports[0], metrics_port=ports[1]):
        assert await status(ports[0], "/readyz") == 200


async def test_metrics_are_served_beside_the_probes(ports: tuple[int, int]) -> None:
    async with serve(Health(), host="127.0.0.1", health_port=ports[0], metrics_port=ports[1]):
        assert await status(ports[1], "/metrics") == 200


def test_a_log_line_of_a_pass_names_its_object() -> None:
    record = logging.LogRecord("seatrial", logging.INFO, "", 0, "weight %d", (10,), None)
    with reconciling("MeshService", "shop/orders"):
        line = json.loads(JsonLines().format(record))
    assert (line["object"], line["message"], line["level"]) == ("MeshService shop/orders", "weight 10", "info")


def test_a_pass_that_fails_is_counted_as_an_error() -> None:
    def errors() -> float:
        return REGISTRY.get_sample_value("seatrial_reconciles_total", {"kind": "Test", "result": "error"}) or 0.0

    before = errors()
    with pytest.raises(ValueError, match="no"), reconciling("Test", "a/b"):
        raise ValueError("no")
    assert errors() == before + 1
