"""``python -m chassis.local``: the whole shop as plain processes on loopback, without a cluster.

For debugging and tests. There is no mesh here: no retries, no identities, nobody is refused. Faults by header are on.
"""

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from queue import Empty, Queue
from typing import Final

_START_SECONDS: Final = 60.0


class Process:
    """A service in a process of its own on loopback, on a port that the system chooses unless one is given."""

    def __init__(self, name: str, *, port: int = 0, env: Mapping[str, str] | None = None, quiet: bool = False) -> None:
        self.name = name
        self.log: list[str] = []
        self._quiet = quiet
        self._ports: Queue[int | None] = Queue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chassis", name],
            env={**os.environ, "HOST": "127.0.0.1", "PORT": str(port), "PYTHONUNBUFFERED": "1", **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def url(self) -> str:
        """Its base URL, once it listens. Raises ``RuntimeError`` with what it said when it ended instead."""
        if not hasattr(self, "_port"):
            try:
                port = self._ports.get(timeout=_START_SECONDS)
            except Empty:
                port = None
            if port is None:
                raise RuntimeError(f"{self.name} didn't start:\n" + "\n".join(self.log[-20:]))
            self._port = port
        return f"http://127.0.0.1:{self._port}"

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
            if self._ports.empty() and '"port": ' in line:
                self._ports.put(int(json.loads(line)["port"]))
        self._ports.put(None)


@contextmanager
def shop(*, port: int = 0, env: Mapping[str, str] | None = None, quiet: bool = False) -> Iterator[dict[str, Process]]:
    """The three services, the gateway on ``port``; all of them end with the block."""
    common = {"FAULTS": "enabled", "REFERENCE_KEY": secrets.token_hex(16), **(env or {})}
    processes: dict[str, Process] = {}
    try:
        for name, number in (("catalog", 0), ("orders", 0), ("gateway", port)):
            urls = {f"{other.upper()}_URL": process.url for other, process in processes.items()}
            processes[name] = Process(name, port=number, env={**common, **urls}, quiet=quiet)
        for process in processes.values():
            _ = process.url
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
    except RuntimeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
