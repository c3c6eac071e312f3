"""The same cluster as in tests/e2e, for as many runs as SOAK says."""

from collections.abc import Iterator

import pytest

from support.blackbox import pytest_runtest_makereport
from support.fixtures import a_place, image, kubectl, operators, put_tools_first
from support.place import Place
from support.striking import Calm

__all__ = ["image", "kubectl", "operators", "pytest_runtest_makereport"]


def pytest_configure() -> None:
    put_tools_first()


@pytest.fixture
def place(request: pytest.FixtureRequest, image: str) -> Iterator[Place]:
    """A managed namespace of this run's own."""
    yield from a_place(request.node.name.removeprefix("test_").replace("[", "-").rstrip("]"), image, "soak")


@pytest.fixture(scope="module")
def calm() -> Calm:
    """For all tests of a file: each story is told undisturbed once."""
    return Calm()
