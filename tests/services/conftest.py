"""The services as real processes on loopback, talked to by HTTP."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from chassis.local import Process
from chassis.local_data import DataServices, data_services
from support.processes import Start
from support.side_by_side import pytest_xdist_make_scheduler

__all__ = ["pytest_xdist_make_scheduler"]

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


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a service of a test's own."""
    with ExitStack() as stack:

        def begin(name: str, **env: str) -> Process:
            process = Process(name, env={"PYTHONPATH": str(APPS), **env}, quiet=True)
            stack.callback(process.stop)
            return process.await_ready()

        yield begin
