"""The pages of the custom resources: their examples are accepted, and no field is left out."""

import re
from pathlib import Path

import pytest
import yaml

from seatrial.api.lint import lint
from seatrial.api.meshservice import MeshServiceSpec
from seatrial.api.problems import Level, node
from seatrial.api.revision import Phase

DOCS = Path(__file__).parents[3] / "docs"
EXAMPLES = DOCS.parent / "examples"
PAGE = (DOCS / "meshservice.md").read_text(encoding="utf-8")


def test_examples_are_manifests_that_nobody_refuses() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert blocks
    problems = lint(d for block in blocks for d in yaml.safe_load_all(block))
    assert [str(p) for p in problems if p.level is Level.REFUSED] == []


@pytest.mark.parametrize("page", sorted(DOCS.glob("strategies/*.md")), ids=lambda p: p.stem)
def test_the_pages_of_strategies_show_manifests_that_draw_no_word(page: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    problems = lint(d for block in blocks for d in yaml.safe_load_all(block))
    assert [str(p) for p in problems if p.level is not Level.UNRESOLVED] == []


def test_each_strategy_has_its_page_and_an_example_that_draws_no_word() -> None:
    shown = set()
    for path in sorted(EXAMPLES.glob("*.yaml")):
        manifests = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
        assert [str(p) for p in lint(manifests)] == [], path.name
        assert f"examples/{path.name}" in (DOCS / "strategies" / f"{path.stem}.md").read_text(encoding="utf-8")
        shown |= {m["spec"]["rollout"]["strategy"] for m in manifests}
    assert shown | {"none"} == set(node(("spec", "rollout", "strategy"))["enum"])


def test_every_field_of_a_rollout_is_on_the_page() -> None:
    fields = {**node(("spec", "rollout"))["properties"], **node(("spec", "rollout", "analysis"))["properties"]}
    assert [name for name in fields if f"`{name}`" not in PAGE and f"`{name}:" not in PAGE] == []


def test_every_field_of_a_spec_is_on_the_page() -> None:
    fields = node(("spec",))["properties"]
    assert len(fields) == len(MeshServiceSpec.model_fields)
    assert [name for name in fields if not re.search(rf"\b{name}\b", PAGE)] == []


def test_every_phase_is_explained() -> None:
    page = (DOCS / "revision.md").read_text(encoding="utf-8")
    assert [phase for phase in Phase if f"`{phase.value}`" not in page] == []
