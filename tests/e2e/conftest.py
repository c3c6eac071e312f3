"""Fixtures of the tests on the cluster; what runs beside what, and what is kept of a failure, is in `support`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.blackbox import pytest_runtest_makereport
from support.fixtures import a_place, image, kubectl, operators, put_tools_first
from support.place import Place
from support.side_by_side import (
    know_markers,
    pytest_collection_modifyitems,
    pytest_runtest_protocol,
    pytest_xdist_make_scheduler,
)

__all__ = [
    "image",
    "kubectl",
    "operators",
    "pytest_collection_modifyitems",
    "pytest_runtest_makereport",
    "pytest_runtest_protocol",
    "pytest_xdist_make_scheduler",
]


def pytest_configure(config: pytest.Config) -> None:
    """Find the tools, and know the markers."""
    put_tools_first()
    know_markers(config)


@pytest.fixture
def place(request: pytest.FixtureRequest, image: str) -> Iterator[Place]:
    """A managed namespace of this test's own."""
    yield from a_place(request.node.name.removeprefix("test_"), image, "e2e")


@pytest.fixture(scope="module")
def shared(request: pytest.FixtureRequest, image: str) -> Iterator[Place]:
    """A managed namespace that the tests of a file share, where isolation isn't the point."""
    yield from a_place(Path(request.node.name).stem.removeprefix("test_"), image, "e2e")
