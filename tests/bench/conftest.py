"""What the figures share: the cluster, a namespace of their own, and the machine that they were taken on."""

from collections.abc import Iterator

import pytest

from support.fixtures import a_place, image, kubectl, operators, put_tools_first
from support.machine import machine_now
from support.place import Place

__all__ = ["image", "kubectl", "operators"]


def pytest_configure() -> None:
    put_tools_first()


@pytest.fixture
def place(request: pytest.FixtureRequest, image: str) -> Iterator[Place]:
    """A managed namespace of this figure's own."""
    yield from a_place(request.node.name.removeprefix("test_"), image, "bench")


@pytest.fixture
def machine() -> str:
    """To print beside a figure."""
    return machine_now()
