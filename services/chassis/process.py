"""A service in a process of its own on loopback: started, asked, killed, as a test or a developer wants it."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Final, Self

import httpx

from chassis.ports import LOOPBACK, listen

_START_SECONDS: Final = 180.0
_LOOK_SECONDS: Final = 0.02
_END_SECONDS: Final = 10.0


def url_of(listener: socket.socket) -> str:
    """Where it is reached."""
    return f"http://{LOOPBACK}:{listener.getsockname()[1]}"


class Process:
    """A service in a process of its own, on a free port unless one is given.

    The port is bound before the process starts, or was in ``listener``, which is closed here. So ``url`` is known at
    once and requests wait until it serves. Raises ``OSError`` when the port is taken.
    """

    def __init__(
        self,
        name: str,
        *,
        port: int = 0,
        listener: socket.socket | None = None,
        env: Mapping[str, str] | None = None,
        quiet: bool = False,
    ) -> None:
        self.name = name
        self.log: list[str] = []
        self._quiet = quiet
        with listener or listen(port) as bound:
            self.url = url_of(bound)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chassis", name],
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {}), "LISTEN_FD": str(bound.fileno())},
                pass_fds=[bound.fileno()],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def await_ready(self) -> Self:
        """Wait until it serves. Raises ``RuntimeError`` with the last of its log when it doesn't."""
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_ready():
            if self.ended or time.monotonic() > deadline:
                self.stop()
                said = "\n".join(self.log[-20:])
                raise RuntimeError(f"{self.name} ended with {self._process.returncode} instead of serving:\n{said}")
            time.sleep(_LOOK_SECONDS)
        return self

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it is over, however it ended."""
        return self._process.poll() is not None

    @property
    def entries(self) -> list[dict[str, object]]:
        """What it has logged so far."""
        return [json.loads(line) for line in list(self.log) if line.startswith("{")]

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, at most ``timeout`` seconds, and return its exit code."""
        code = self._process.wait(timeout)
        self._reader.join(timeout)
        if self._process.stdout:
            self._process.stdout.close()
        return code

    def kill(self) -> None:
        """End it as a crash does: SIGKILL, no farewell."""
        self.signal(signal.SIGKILL)
        self.wait()

    def ask_to_end(self) -> None:
        """Ask it to end as a developer does, and don't wait."""
        if not self.ended:
            self.signal(signal.SIGINT)

    def stop(self) -> None:
        """End it as a developer does, or for sure after a while."""
        self.ask_to_end()
        try:
            self.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def _is_ready(self) -> bool:
        try:
            return httpx.get(self.url + "/readyz", timeout=_START_SECONDS, trust_env=False).is_success
        except httpx.TransportError:
            return False

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self.log.append(line.rstrip("\n"))
            if not self._quiet:
                sys.stdout.write(f"{self.name:19} {line}")
