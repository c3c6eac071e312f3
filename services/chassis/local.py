"""``python -m chassis.local``: the whole shop as plain processes on loopback, without a cluster.

For debugging and tests. There is no mesh here: no retries, no identities, nobody is refused, no
access log but the services' own. Faults by header are on.
"""

import argparse
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Self

import httpx

_START_SECONDS: Final = 60.0
_LOOPBACK: Final = "127.0.0.1"
_BACKLOG: Final = 2048


class Process:
    """A service in a process of its own on loopback, on a port that the system chooses unless one is given.

    The port is bound before the process starts, so ``url`` is known at once and requests wait until it serves. Raises
    ``OSError`` when the port is taken.
    """

    def __init__(self, name: str, *, port: int = 0, env: Mapping[str, str] | None = None, quiet: bool = False) -> None:
        self.name = name
        self.log: list[str] = []
        self._quiet = quiet
        with socket.create_server((_LOOPBACK, port), backlog=_BACKLOG) as listener:
            self.url = f"http://{_LOOPBACK}:{listener.getsockname()[1]}"
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chassis", name],
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {}), "LISTEN_FD": str(listener.fileno())},
                pass_fds=[listener.fileno()],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def await_ready(self) -> Self:
        """Wait until it serves. Raises ``RuntimeError`` with the last of its log when it doesn't."""
        try:
            httpx.get(self.url + "/readyz", timeout=_START_SECONDS, trust_env=False).raise_for_status()
        except httpx.HTTPError as error:
            self.stop()
            said = "\n".join(self.log[-20:])
            raise RuntimeError(
                f"{self.name} ended with {self._process.returncode} instead of serving:\n{said}"
            ) from error
        return self

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

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

    def stop(self) -> None:
        """End it as a developer does, or for sure after five seconds."""
        if self._process.poll() is None:
            self.signal(signal.SIGINT)
        try:
            self.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self.wait()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self.log.append(line.rstrip("\n"))
            if not self._quiet:
                sys.stdout.write(f"{self.name:8} {line}")


@contextmanager
def shop(*, port: int = 0, env: Mapping[str, str] | None = None, quiet: bool = False) -> Iterator[dict[str, Process]]:
    """The three services, the gateway on ``port``; all of them end with the block."""
    common = {"FAULTS": "enabled", "LOG_LEVEL": "debug", "REFERENCE_KEY": secrets.token_hex(16), **(env or {})}
    processes: dict[str, Process] = {}
    try:
        for name, number in (("catalog", 0), ("orders", 0), ("gateway", port)):
            urls = {f"{other.upper()}_URL": process.url for other, process in processes.items()}
            processes[name] = Process(name, port=number, env={**common, **urls}, quiet=quiet)
        for process in processes.values():
            process.await_ready()
        yield processes
    finally:
        for process in reversed(processes.values()):
            process.stop()


def main() -> None:
    """Run the shop until Ctrl-C or the end of one of its processes."""
    parser = argparse.ArgumentParser(prog="python -m chassis.local", description="Run the shop on loopback.")
    parser.add_argument("--port", type=int, default=8000, help="port of the gateway (default: 8000)")
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell may have told a process in its background to ignore them
        signal.signal(number, signal.default_int_handler)
    try:
        with shop(port=arguments.port) as processes:
            url = processes["gateway"].url
            sys.stdout.write(
                f"\nThe shop is open at {url}. Try:\n\n"
                f"  curl {url}/api/v1/catalog/rope-01\n"
                f"  curl {url}/api/v1/orders --json "
                '\'{"customer": "ada", "items": [{"sku": "rope-01", "quantity": 2}]}\'\n\n'
                "Ctrl-C closes it.\n\n"
            )
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
            sys.exit("one of the processes has ended; its last lines above say why")
    except KeyboardInterrupt:
        sys.stdout.write("closed\n")
    except OSError as error:
        sys.exit(f"can't open the shop on port {arguments.port}: {error}. Choose another by --port.")
    except RuntimeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
