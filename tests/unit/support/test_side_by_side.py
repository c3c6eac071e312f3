"""Tests that share a cluster, by two workers of a pytest of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS_FOLDER = Path(__file__).parents[2]

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


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, float, float]]:
    """File, worker, begin and end of each test, in the order of their ends; one run for all tests below."""
    folder = tmp_path_factory.mktemp("side-by-side")
    (folder / "alone").mkdir()
    (folder / "conftest.py").write_text(CONFTEST)
    for name in ("test_a", "test_b", "alone/test_c", "alone/test_d"):
        (folder / f"{name}.py").write_text(TESTS.replace("FIXTURE", "shared: Place"))
    (folder / "test_e.py").write_text(TESTS.replace("FIXTURE", "place: Place"))
    (folder / "test_f.py").write_text(TESTS.replace("FIXTURE", "tmp_path"))
    for name, mark in (("alone/test_c", "last"), ("test_f", "beside")):
        with (folder / f"{name}.py").open("a") as file:
            file.write(f"\npytestmark = pytest.mark.{mark}\n")
    asked = ["-p", "xdist", "-n2", "--dist", "loadfile", "--no-loadscope-reorder"]
    asked += ["--import-mode=importlib", "--strict-markers", f"--rootdir={folder}"]
    # without plugins that take seconds to import
    environment = os.environ | {"PYTHONPATH": str(TESTS_FOLDER), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    argv = [sys.executable, "-m", "pytest", *asked]
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert "18 passed" in done.stdout, done.stdout + done.stderr
    return [tuple(json.loads(line)) for line in (folder / "ran").read_text().splitlines()]


def test_files_run_side_by_side_and_what_wants_to_be_alone_is(ran: list[tuple[str, str, float, float]]) -> None:
    together, alone = (
        [r for r in ran if r[0] in files] for files in ({"test_a", "test_b", "test_e"}, {"test_c", "test_d"})
    )
    of = {name: {worker for file, worker, *_ in together if file == name} for name in ("test_a", "test_b")}
    assert of in [{"test_a": {"gw0"}, "test_b": {"gw1"}}, {"test_a": {"gw1"}, "test_b": {"gw0"}}]
    assert [file for file, *_ in alone] == ["test_d"] * 3 + ["test_c"] * 3, "the last are last"
    assert len({worker for _, worker, *_ in alone}) == 1
    ends = [max(end for *_, end in together), *(end for *_, end in alone)]
    assert all(began >= end for (_, _, began, _), end in zip(alone, ends, strict=False)), "somebody was beside it"


def test_what_needs_nothing_that_is_taken_away_runs_beside_it(ran: list[tuple[str, str, float, float]]) -> None:
    alone, beside = ([r for r in ran if r[0] in files] for files in ({"test_c", "test_d"}, {"test_f"}))
    assert not {worker for _, worker, *_ in alone} & {worker for _, worker, *_ in beside}
    assert beside[0][2] < alone[-1][3], "it waited until nobody was alone any more"


def test_a_test_with_a_namespace_of_its_own_goes_to_who_is_free(ran: list[tuple[str, str, float, float]]) -> None:
    (busy,) = {worker for file, worker, *_ in ran if file == "test_b"}
    taken = [worker for file, worker, *_ in ran if file == "test_e"]
    assert len(taken) == 3
    assert taken[0] != busy, "it waited for somebody who had more to do"
