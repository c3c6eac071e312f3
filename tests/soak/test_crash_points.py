"""The operator dies before and after each distinct write of a rollout, a rollback and a deletion, and nothing differs.

Between it and the API server stands a proxy that knows each write. The same stories are told under an API server that
is slow, refuses, fails, and ends its watches.
"""

import os
from collections.abc import Iterator

import pytest

from support.operators import JANITOR, OPERATOR, Operators
from support.place import Place
from support.stories import STORIES
from support.striking import Calm, ends_alike_wherever_it_dies, stage, troubles

pytestmark = [
    pytest.mark.skipif(os.environ.get("SOAK") == "cluster", reason="is about the cluster itself"),
    pytest.mark.usefixtures("nobody_else"),
]

SEED = int(os.environ.get("SEED") or 0)


@pytest.fixture(scope="module")
def nobody_else(operators: Operators) -> Iterator[None]:
    """No operator of the cluster looks on."""
    with operators.gone(OPERATOR, JANITOR):
        yield


@pytest.mark.parametrize("title", STORIES)
def test_a_story_ends_alike_wherever_its_operator_dies(
    title: str, place: Place, calm: Calm, capsys: pytest.CaptureFixture[str]
) -> None:
    with stage(place) as scene:
        said = ends_alike_wherever_it_dies(scene, title, calm.end(scene, title))
    with capsys.disabled():
        print(f"\n  {said}")  # noqa: T201 - figures for the record


@pytest.mark.parametrize("title", STORIES)
def test_a_story_ends_alike_under_an_api_server_in_trouble(title: str, place: Place, calm: Calm) -> None:
    rule = troubles(f"{SEED} {title}")
    with stage(place) as scene:
        end = calm.end(scene, title)
        struck = scene.tell("struck", title, lambda _: rule)
    assert struck == end
