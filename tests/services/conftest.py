"""The services as real processes on loopback, talked to by HTTP."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from chassis.local import Process, Shop, shop
from chassis.local_data import DataServices, data_services
from support.processes import Logged, Start
from support.waiting import eventually

APPS = Path(__file__).parent / "apps"


@pytest.fixture(scope="session")
def data() -> Iterator[DataServices]:
    """Postgres and NATS, for tests that let them live."""
    with data_services() as running:
        yield running


@pytest.fixture(scope="module")
def database_url(data: DataServices, request: pytest.FixtureRequest) -> str:
    """A new and empty database on Postgres for a module."""
    return data.database_url(f"test_{request.module.__name__.rpartition('.')[2].removeprefix('test_')}"[:63])


@pytest.fixture(scope="session")
def processes(data: DataServices) -> Iterator[Shop]:
    """The whole shop, for tests that change nothing in it on which others build."""
    with shop(quiet=True, data=data) as running:
        yield running


@pytest.fixture(scope="session")
def gateway(processes: dict[str, Process]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=processes["gateway"].url, timeout=20) as client:
        yield client


@pytest.fixture(scope="session")
def orders(processes: dict[str, Process]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=processes["orders"].url, timeout=20) as client:
        yield client


@pytest.fixture(scope="session")
def catalog(processes: dict[str, Process]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=processes["catalog"].url, timeout=20) as client:
        yield client


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a service of a test's own."""
    with ExitStack() as stack:

        def begin(name: str, **env: str) -> Process:
            process = Process(name, env={"PYTHONPATH": str(APPS), **env}, quiet=True)
            stack.callback(process.stop)
            return process.await_ready()

        yield begin


@pytest.fixture
def logged(processes: dict[str, Process]) -> Logged:
    """Log entries of a service that have these fields, once there are some."""

    def find(service: str, **fields: object) -> list[dict[str, object]]:
        def found() -> list[dict[str, object]]:
            return [entry for entry in processes[service].entries if fields.items() <= entry.items()]

        return eventually(found, within=5, every=0.02, what=f"{service} logs {fields}")

    return find
