"""Fixtures of the tests on the cluster, their order, and what is kept when one fails."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.blackbox import keep
from support.kubectl import Kubectl
from support.operators import Operators
from support.place import Place, make_place, shop_image

ROOT = Path(__file__).parents[2]
REPORTS = ROOT / "reports" / "e2e"
LAST = "last"


def pytest_configure(config: pytest.Config) -> None:
    """Find the tools that `make` puts in front, and know our marker."""
    os.environ["PATH"] = os.pathsep.join([str(ROOT / "bin"), str(ROOT / ".venv" / "bin"), os.environ["PATH"]])
    config.addinivalue_line("markers", f"{LAST}: runs after all others, because it takes Seatrial away for a while")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run those last that say so; the order is otherwise that of the files."""
    items.sort(key=lambda item: item.get_closest_marker(LAST) is not None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Keep what a failed test's namespace looks like, while it is still there."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.failed and report.when in {"setup", "call"}:
        for place in getattr(item, "funcargs", {}).values():
            if isinstance(place, Place):
                keep(place, report.longreprtext)
                report.sections.append(("kept", str(place.folder)))
    return report  # type: ignore[return-value]


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    """kubectl on the cluster."""
    return Kubectl()


@pytest.fixture(scope="session")
def image(kubectl: Kubectl) -> str:
    """A small image of ours that is on the node."""
    return shop_image(kubectl)


@pytest.fixture(scope="session")
def operators(kubectl: Kubectl) -> Operators:
    """Operator and janitor."""
    return Operators(kubectl)


@pytest.fixture
def place(request: pytest.FixtureRequest, image: str) -> Iterator[Place]:
    """A managed namespace of this test's own."""
    yield from _place(request.node.name.removeprefix("test_"), image)


@pytest.fixture(scope="module")
def shared(request: pytest.FixtureRequest, image: str) -> Iterator[Place]:
    """A managed namespace that the tests of a file share, where isolation isn't the point."""
    yield from _place(Path(request.node.name).stem.removeprefix("test_"), image)


def _place(title: str, image: str) -> Iterator[Place]:
    folder = REPORTS / title
    shutil.rmtree(folder, ignore_errors=True)
    made = make_place(title, image, folder)
    yield made
    made.close()
