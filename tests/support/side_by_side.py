"""Who runs beside whom, as hooks that a conftest imports.

Workers of pytest-xdist share the cluster. Each takes a file at a time where its tests share a namespace, and one test
where each has its own; those that last long come first, so that nobody waits for the last. What is in a folder `alone`
takes the operators or istiod away: it comes last, on one worker, and beside it runs only what needs neither. What is in
a folder `whole_shop` shares processes that not each worker is to start.
"""

import fcntl
import inspect
import re
from collections.abc import Generator
from functools import cache
from pathlib import Path
from typing import IO, Any

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

ALONE = "alone"
FOLDERS = {ALONE, "whole_shop"}
"""Each is one piece of work."""
LAST = "last"
BESIDE = "beside"
WITHOUT_CLUSTER = {"unit", "services"}
"""Folders whose tests may run beside any."""
_WAIT = re.compile(r"\b(?:await_\w+|eventually|always|until|sail|go_on|seatrial|ends)\(")
_SHARED = re.compile(r"\bshared: Place\b")
_OWN = re.compile(r"\bplace: Place\b")
_LOCK = Path(__file__).parents[2] / "reports" / "cluster.lock"


class _SideBySide(LoadFileScheduling):  # type: ignore[misc]
    """Gives each worker whole files, or single tests of one that shares nothing, and folders as if they were files.

    Who gives the work out knows of a test only what it is called, so the files are looked at.
    """

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        if folder := FOLDERS.intersection(Path(file).parts):
            return folder.pop()
        return nodeid if _shares_nothing(self.config.rootpath / file) else file

    def _reschedule(self, node: Any) -> None:
        """Give a worker more when it begins its last test, and not before: another may be free by then."""
        if not self.workqueue or self._pending_of(self.assigned_work[node]) <= 1:
            super()._reschedule(node)


def know_markers(config: pytest.Config) -> None:
    """For `pytest_configure`, of which a conftest has one."""
    config.addinivalue_line(
        "markers", f"{LAST}: runs after all others that run alone, when nobody is beside it any more"
    )
    config.addinivalue_line("markers", f"{BESIDE}: needs neither operators nor istiod: runs beside who takes them away")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Keep on one worker what shares a namespace, or wants the cluster for itself."""
    return _SideBySide(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long ones first, then those that run alone, and what may run beside these at the end."""
    items.sort(key=lambda item: (*_turn(item), -_waits(item)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Share the cluster from a worker's first test to its last, but have it for oneself when one runs alone."""
    if not _is_beside(item):
        fcntl.flock(_lock(), fcntl.LOCK_EX if _is_alone(item) else fcntl.LOCK_SH)
    try:
        return (yield)
    finally:
        if nextitem is None or _is_beside(nextitem):
            fcntl.flock(_lock(), fcntl.LOCK_UN)


@cache
def _lock() -> IO[str]:
    """Held in between, too: what the tests of a file share must not be taken away either."""
    _LOCK.parent.mkdir(exist_ok=True)
    return _LOCK.open("w")


def _is_alone(item: pytest.Item) -> bool:
    return ALONE in _folders(item)


def _is_beside(item: pytest.Item) -> bool:
    return item.get_closest_marker(BESIDE) is not None or not WITHOUT_CLUSTER.isdisjoint(_folders(item))


def _folders(item: pytest.Item) -> tuple[str, ...]:
    return item.path.relative_to(item.config.rootpath).parts


def _turn(item: pytest.Item) -> tuple[int, bool]:
    """First whole files with a namespace, then single tests with one, then what needs none; and see above."""
    if _is_beside(item):
        return 4, False
    if _is_alone(item):
        return 3, item.get_closest_marker(LAST) is not None
    return (1 if _shares_nothing(item.path) else 0 if _SHARED.search(_text(item.path)) else 2), False


def _waits(item: pytest.Item) -> int:
    """How often a test waits for something, or a file whose tests stay in their order: what lasts long, waits often."""
    if _is_alone(item):
        return 0
    if isinstance(item, pytest.Function) and _shares_nothing(item.path):
        return len(_WAIT.findall(inspect.getsource(item.function)))
    return len(_WAIT.findall(_text(item.path)))


def _shares_nothing(path: Path) -> bool:
    return bool(_OWN.search(_text(path))) and not _SHARED.search(_text(path))


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
