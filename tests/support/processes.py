"""Services of the shop as real processes on loopback: how a test starts them and reads what they log."""

from collections.abc import Callable
from typing import Protocol

import httpx

from chassis.local import Process

Logged = Callable[..., list[dict[str, object]]]
"""``logged(service, **fields)``: log entries of a service that have these fields, once there are some."""


class Start(Protocol):
    """Starts a service with these environment variables and waits until it serves; it ends with the test."""

    def __call__(self, name: str, **env: str) -> Process: ...


def requests_served(process: Process) -> float:
    """Requests that a service has answered, those of the platform apart."""
    text = httpx.get(f"{process.url}/metrics").text
    lines = (line for line in text.splitlines() if line.startswith("http_server_request_duration_seconds_count"))
    return sum(float(line.rpartition(" ")[2]) for line in lines)
