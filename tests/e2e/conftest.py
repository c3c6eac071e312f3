"""Fixtures of the tests on the cluster, their order, and what is kept when one fails."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.blackbox import keep
from support.fixtures import a_place, image, kubectl, operators, put_tools_first
from support.place import Place

__all__ = ["image", "kubectl", "operators"]

LAST = "last"


def pytest_configure(config: pytest.Config) -> None:
    """Find the tools, and know our marker."""
    put_tools_first()
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


@pytest.fixture
def place(request: pytest.FixtureRequest, image: str) -> Iterator[Place]:
    """A managed namespace of this test's own."""
    yield from a_place(request.node.name.removeprefix("test_"), image, "e2e")


@pytest.fixture(scope="module")
def shared(request: pytest.FixtureRequest, image: str) -> Iterator[Place]:
    """A managed namespace that the tests of a file share, where isolation isn't the point."""
    yield from a_place(Path(request.node.name).stem.removeprefix("test_"), image, "e2e")
