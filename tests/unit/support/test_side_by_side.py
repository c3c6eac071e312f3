"""Tests that share a cluster, by two workers of a pytest of their own."""

import json
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CONFTEST = """
import pytest
from support import side_by_side
from support.side_by_side import pytest_collection_modifyitems, pytest_runtest_protocol, pytest_xdist_make_scheduler

def pytest_configure(config):
    side_by_side.know_markers(config)

@pytest.fixture
def place():
    pass

@pytest.fixture(scope="module")
def shared():
    pass
"""

# Says when it ran and where. One file lasts longer than the other, so that somebody could be beside it.
TESTS = """
from __future__ import annotations
import json, os, time
import pytest

@pytest.mark.parametrize("number", range(3))
def test_one(number, request, FIXTURE):
    began = time.monotonic()
    time.sleep(0.5 if request.path.stem == "test_b" else 0.1)
    said = [request.path.stem, os.environ["PYTEST_XDIST_WORKER"], began, time.monotonic()]
    with open("ran", "a") as ran:
        print(json.dumps(said), file=ran)
"""


@pytest.fixture
def ran(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, float, float]]:
    """File, worker, begin and end of each test, in the order of their ends."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # the others take seconds to import
    pytester.makeconftest(CONFTEST)
    pytester.mkdir("alone")
    for name in ("test_a", "test_b", "alone/test_c", "alone/test_d"):
        (pytester.path / f"{name}.py").write_text(TESTS.replace("FIXTURE", "shared: Place"))
    (pytester.path / "test_e.py").write_text(TESTS.replace("FIXTURE", "place: Place"))
    with (pytester.path / "alone" / "test_c.py").open("a") as last:
        last.write("\npytestmark = pytest.mark.last\n")
    asked = (
        "-p",
        "xdist",
        "-n2",
        "--dist",
        "loadfile",
        "--no-loadscope-reorder",
        "--import-mode=importlib",
        "--strict-markers",
    )
    pytester.runpytest_subprocess(*asked).assert_outcomes(passed=15)
    return [tuple(json.loads(line)) for line in (pytester.path / "ran").read_text().splitlines()]


def test_files_run_side_by_side_and_what_wants_to_be_alone_is(ran: list[tuple[str, str, float, float]]) -> None:
    together, alone = ran[:9], ran[9:]
    of = {name: {worker for file, worker, *_ in together if file == name} for name in ("test_a", "test_b")}
    assert of in [{"test_a": {"gw0"}, "test_b": {"gw1"}}, {"test_a": {"gw1"}, "test_b": {"gw0"}}]
    assert [file for file, *_ in alone] == ["test_d"] * 3 + ["test_c"] * 3, "the last are last"
    assert len({worker for _, worker, *_ in alone}) == 1
    ends = [end for *_, end in ran]
    assert all(began >= end for (_, _, began, _), end in zip(alone, ends[8:], strict=False)), "somebody was beside it"


def test_a_test_with_a_namespace_of_its_own_goes_to_who_is_free(ran: list[tuple[str, str, float, float]]) -> None:
    (busy,) = {worker for file, worker, *_ in ran if file == "test_b"}
    taken = [worker for file, worker, *_ in ran if file == "test_e"]
    assert len(taken) == 3
    assert taken[0] != busy, "it waited for somebody who had more to do"
