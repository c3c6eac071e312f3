"""Who runs beside whom on the cluster, as hooks that a conftest imports.

Workers of pytest-xdist share it, each with a file at a time. What is in a folder `alone` takes away what all others
need: it comes last, on one worker, and nothing runs beside it.
"""

import fcntl
from collections.abc import Generator
from functools import cache
from pathlib import Path
from typing import IO, Any

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

ALONE = "alone"
LAST = "last"
_LOCK = Path(__file__).parents[2] / "reports" / "cluster.lock"


class _SideBySide(LoadFileScheduling):  # type: ignore[misc]
    """Gives each worker whole files, and the folder as if it were one."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return ALONE if ALONE in Path(file).parts else file


def know_markers(config: pytest.Config) -> None:
    """For `pytest_configure`, of which a conftest has one."""
    config.addinivalue_line("markers", f"{LAST}: runs after all others, because it takes Seatrial away for a while")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Keep on one worker what shares a namespace, or wants the cluster for itself."""
    return _SideBySide(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run those that run alone after the others, and those last that say so; else the order is that of the files."""
    items.sort(key=lambda item: (_is_alone(item), item.get_closest_marker(LAST) is not None))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Share the cluster from a worker's first test to its last, but have it for oneself when one runs alone."""
    fcntl.flock(_lock(), fcntl.LOCK_EX if _is_alone(item) else fcntl.LOCK_SH)
    try:
        return (yield)
    finally:
        if nextitem is None:
            fcntl.flock(_lock(), fcntl.LOCK_UN)


@cache
def _lock() -> IO[str]:
    """Held in between, too: what the tests of a file share must not be taken away either."""
    _LOCK.parent.mkdir(exist_ok=True)
    return _LOCK.open("w")


def _is_alone(item: pytest.Item) -> bool:
    return ALONE in item.path.parts
