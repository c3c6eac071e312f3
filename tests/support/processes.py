"""Services of the shop as real processes on loopback: how a test starts them and reads what they log."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import httpx

from chassis.local import Process

Logged = Callable[..., list[dict[str, object]]]
"""``logged(service, **fields)``: log entries of a service that have these fields, once there are some."""


class Start(Protocol):
    """Starts a service with these environment variables and waits until it serves; it ends with the test."""

    def __call__(self, name: str, **env: str) -> Process: ...


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used, its children's too, those that are gone included."""
    children: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="utf-8").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            continue
        one = int(path.parent.name)
        children.setdefault(int(fields[1]), []).append(one)
        used[one] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    family = [pid]
    for member in family:
        family += children.get(member, [])
    return sum(used[member] for member in family)


def requests_served(process: Process) -> float:
    """Requests that a service has answered, those of the platform apart."""
    text = httpx.get(f"{process.url}/metrics").text
    lines = (line for line in text.splitlines() if line.startswith("http_server_request_duration_seconds_count"))
    return sum(float(line.rpartition(" ")[2]) for line in lines)
