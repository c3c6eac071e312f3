"""What the figures share: the cluster, a namespace of their own, and the machine that they were taken on."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.kubectl import Kubectl
from support.place import Place, make_place, shop_image

ROOT = Path(__file__).parents[2]


def pytest_configure() -> None:
    """Find the tools that `make` puts in front."""
    os.environ["PATH"] = os.pathsep.join([str(ROOT / "bin"), str(ROOT / ".venv" / "bin"), os.environ["PATH"]])


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A managed namespace of this figure's own."""
    made = make_place(request.node.name.removeprefix("test_"), shop_image(Kubectl()), ROOT / "reports" / "bench")
    yield made
    made.close()


@pytest.fixture
def machine() -> str:
    """Cores and load, to print beside a figure."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
