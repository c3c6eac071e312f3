"""Fixtures of everything that runs on the cluster; a conftest imports those that it wants."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.helm import Release
from support.kubectl import Kubectl
from support.operators import Operators
from support.place import Place, make_place, shop_image

ROOT = Path(__file__).parents[2]


def put_tools_first() -> None:
    """Find the tools that `make` puts in front, also where pytest is run without it."""
    os.environ["PATH"] = os.pathsep.join([str(ROOT / "bin"), str(ROOT / ".venv" / "bin"), os.environ["PATH"]])


def a_place(title: str, image: str, reports: str) -> Iterator[Place]:
    """A managed namespace while somebody needs it; what it records goes to ``reports/<reports>/<title>``."""
    folder = ROOT / "reports" / reports / title
    shutil.rmtree(folder, ignore_errors=True)
    made = make_place(title, image, folder)
    yield made
    made.close()


def a_release(operators: Operators) -> Iterator[Release]:
    """Seatrial's release while somebody changes it, put back as it was."""
    before = Release.installed()
    yield before
    before.install()
    operators.await_holder(within=90)


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
def release(operators: Operators) -> Iterator[Release]:
    """Seatrial's release, put back as it was."""
    yield from a_release(operators)
