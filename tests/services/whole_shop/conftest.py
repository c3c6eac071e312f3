"""The whole shop, once for all tests of this folder, which stay on one worker: it takes ten processes."""

from collections.abc import Iterator

import httpx
import pytest

from chassis.local import Process, Shop, shop
from chassis.local_data import DataServices
from support.processes import Logged
from support.waiting import eventually


@pytest.fixture(scope="package")
def processes(data: DataServices) -> Iterator[Shop]:
    """The whole shop, for tests that change nothing in it on which others build."""
    with shop(quiet=True, data=data) as running:
        yield running


@pytest.fixture(scope="package")
def gateway(processes: dict[str, Process]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=processes["gateway"].url, timeout=20) as client:
        yield client


@pytest.fixture(scope="package")
def orders(processes: dict[str, Process]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=processes["orders"].url, timeout=20) as client:
        yield client


@pytest.fixture(scope="package")
def catalog(processes: dict[str, Process]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=processes["catalog"].url, timeout=20) as client:
        yield client


@pytest.fixture
def logged(processes: dict[str, Process]) -> Logged:
    """Log entries of a service that have these fields, once there are some."""

    def find(service: str, **fields: object) -> list[dict[str, object]]:
        def found() -> list[dict[str, object]]:
            return [entry for entry in processes[service].entries if fields.items() <= entry.items()]

        return eventually(found, within=5, every=0.02, what=f"{service} logs {fields}")

    return find
