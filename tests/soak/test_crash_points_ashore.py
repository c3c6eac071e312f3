"""The stories of `test_crash_points` once more, where nothing but an API server is real: without a cluster, and sooner.

Pods, their sidecars and istiod are stand-ins, so no users are looked at here.
"""

import os
from collections.abc import Iterator

import pytest

from support.ashore import Ashore, ashore
from support.controlplane import ControlPlane
from support.fixtures import ROOT
from support.kubectl import CONTEXT
from support.looking import looks
from support.stories import STORIES
from support.striking import Calm, ends_alike_wherever_it_dies, troubles

pytestmark = pytest.mark.skipif(os.environ.get("SOAK") == "cluster", reason="is about the cluster itself")

FOLDER = ROOT / "reports" / "soak" / "ashore"
SEED = int(os.environ.get("SEED") or 0)


@pytest.fixture(scope="module")
def scene() -> Iterator[Ashore]:
    """One for all stories."""
    with pytest.MonkeyPatch.context() as patch, ControlPlane(FOLDER / "plane") as plane:
        patch.setenv("KUBECONFIG", str(plane.kubeconfig))
        looks.cache_clear()
        with ashore(FOLDER) as made:
            yield made
        looks(CONTEXT).close()
    looks.cache_clear()


@pytest.mark.parametrize("title", STORIES)
def test_a_story_ends_alike_wherever_its_operator_dies(
    title: str, scene: Ashore, calm: Calm, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ends_alike_wherever_it_dies(scene, title, calm.end(scene, title))
    with capsys.disabled():
        print(f"\n  {said}")  # noqa: T201 - figures for the record


@pytest.mark.parametrize("title", STORIES)
def test_a_story_ends_alike_under_an_api_server_in_trouble(title: str, scene: Ashore, calm: Calm) -> None:
    rule = troubles(f"{SEED} {title}")
    end = calm.end(scene, title)
    assert scene.tell("troubled", title, lambda _: rule) == end
