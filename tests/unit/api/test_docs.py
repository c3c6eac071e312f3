"""The pages of the custom resources: their examples are accepted, and no field is left out."""

import re
from pathlib import Path

import yaml

from seatrial.api.lint import lint
from seatrial.api.meshservice import MeshServiceSpec
from seatrial.api.problems import Level, node
from seatrial.api.revision import Phase

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "meshservice.md").read_text(encoding="utf-8")


def test_examples_are_manifests_that_nobody_refuses() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert blocks
    problems = lint(d for block in blocks for d in yaml.safe_load_all(block))
    assert [str(p) for p in problems if p.level is Level.REFUSED] == []


def test_every_field_of_a_spec_is_on_the_page() -> None:
    fields = node(("spec",))["properties"]
    assert len(fields) == len(MeshServiceSpec.model_fields)
    assert [name for name in fields if not re.search(rf"\b{name}\b", PAGE)] == []


def test_every_phase_is_explained() -> None:
    page = (DOCS / "revision.md").read_text(encoding="utf-8")
    assert [phase for phase in Phase if f"`{phase.value}`" not in page] == []
