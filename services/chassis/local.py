"""``python -m chassis.local``: the whole shop as plain processes on loopback, without a cluster.

For debugging and tests, with a real Postgres and a real NATS. There is no mesh here: no retries, no identities, nobody
is refused, no access log but the services' own. Faults by header are on.

Which services there are is what the folder says: each package beside the chassis that can be run, with a database of
its own if it has migrations. Each is told where all the others are.
"""

import argparse
import asyncio
import os
import secrets
import signal
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from chassis.database import Database
from chassis.local_data import DataServices, data_services
from chassis.migrations import has_migrations, migrate
from chassis.ports import listen
from chassis.process import Process, url_of

__all__ = ["Process", "Shop", "services", "shop"]

_SERVICES: Final = Path(__file__).parents[1]
_AMBASSADORS: Final = {"payments": "bank"}
"""Who reaches whom by a process of its own beside it, ``SERVICE.ambassador``, as by a second container of its pod."""


class Shop(dict[str, Process]):
    """The services by name, on the data services that they share."""

    def __init__(
        self, names: Collection[str], data: DataServices, *, port: int, env: Mapping[str, str], quiet: bool
    ) -> None:
        super().__init__()
        self.data = data
        self._quiet = quiet
        self._envs: dict[str, dict[str, str]] = {}
        with ExitStack() as stack:
            bound = {name: stack.enter_context(listen(port if name == "gateway" else 0)) for name in names}
            urls = {name: url_of(listener) for name, listener in bound.items()}
            for name, listener in bound.items():
                self._envs[name] = {**env, **_addresses(name, urls), **_data_of(name, data)}
                self[name] = Process(name, listener=listener, env=self._envs[name], quiet=quiet)

    def restart(self, name: str) -> Process:
        """Start a service that has ended once more, where it was."""
        port = int(self[name].url.rpartition(":")[2])
        self[name] = Process(name, port=port, env=self._envs[name], quiet=self._quiet)
        return self[name]

    def stop(self) -> None:
        """End all of them at once."""
        for process in self.values():
            process.ask_to_end()
        for process in self.values():
            process.stop()


def services() -> list[str]:
    """All services that there are, and the ambassadors beside them."""
    names = sorted(path.parent.name for path in _SERVICES.glob("*/__main__.py") if path.parent.name != "chassis")
    beside = [f"{name}.ambassador" for name in names if (_SERVICES / name / "ambassador.py").exists()]
    return names + beside


@contextmanager
def shop(
    *,
    port: int = 0,
    env: Mapping[str, str] | None = None,
    quiet: bool = False,
    names: Collection[str] | None = None,
    data: DataServices | None = None,
) -> Iterator[Shop]:
    """All services, or those of these names, the gateway on ``port``; they end with the block.

    They use the data services that they are given, where their databases must be new, or some of their own.
    """
    chosen = services() if names is None else names
    common = {
        "FAULTS": "enabled",
        "LOG_LEVEL": "debug",
        "BANK_SECRET": secrets.token_hex(16),
        **(env or {}),
    }
    with ExitStack() as stack:
        shared = data or stack.enter_context(data_services())
        asyncio.run(_migrate([name for name in chosen if _has_database(name)], shared))
        running = Shop(chosen, shared, port=port, env=common, quiet=quiet)
        stack.callback(running.stop)
        for process in running.values():
            process.await_ready()
        yield running


async def _migrate(names: Collection[str], data: DataServices) -> None:
    for name in names:  # one by one: Alembic keeps what it is at in global variables
        database = Database(data.database_url(name), connections=1)
        try:
            await migrate(database, name, patience=10.0)
        finally:
            await database.close()


def _has_database(name: str) -> bool:
    return "." not in name and has_migrations(name)


def _data_of(name: str, data: DataServices) -> dict[str, str]:
    """What a service is told about the data services: those that have nothing to keep don't tell others of it."""
    return {"DATABASE_URL": data.database_url(name), "BROKER_URL": data.broker_url} if _has_database(name) else {}


def _addresses(name: str, urls: Mapping[str, str]) -> dict[str, str]:
    """Where the others are, as variables: ``CATALOG_URL``."""
    told = {f"{other.upper()}_URL": url for other, url in urls.items() if "." not in other}
    if (ambassador := f"{name}.ambassador") in urls:
        told[f"{_AMBASSADORS[name].upper()}_URL"] = urls[ambassador]
    return told


def main() -> None:
    """Run the shop until Ctrl-C or the end of one of its processes."""
    parser = argparse.ArgumentParser(prog="python -m chassis.local", description="Run the shop on loopback.")
    parser.add_argument("--port", type=int, default=8000, help="port of the gateway (default: 8000)")
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell may have told a process in its background to ignore them
        signal.signal(number, signal.default_int_handler)
    try:
        with shop(port=arguments.port) as running:
            url = running["gateway"].url
            sys.stdout.write(
                f"\nThe shop is open at {url}. Try:\n\n"
                f"  curl {url}/api/v1/catalog/rope-01\n"
                f"  curl {url}/api/v1/orders --json "
                '\'{"customer": "ada", "items": [{"sku": "rope-01", "quantity": 2}]}\'\n\n'
                + "".join(f"{name:19} {process.url}\n" for name, process in running.items())
                + f"{'Postgres':19} {running.data.admin_url}\n{'NATS':19} {running.data.broker_url}\n\n"
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
