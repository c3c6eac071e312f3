"""The CRDs: what is committed is what the models say, and it has the form that an API server takes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from seatrial.api import crd
from seatrial.api.problems import node
from seatrial.api.rules import RULES

COMMITTED = Path(__file__).parents[3] / "charts" / "seatrial" / "files" / "crds"


@pytest.mark.parametrize("resource", crd.RESOURCES, ids=lambda r: r.kind)
def test_the_committed_file_is_what_the_models_say(resource: crd.Resource) -> None:
    written = (COMMITTED / resource.file).read_text(encoding="utf-8")
    assert written == crd.text(resource), "run `python -m seatrial.api.crd` and commit what it writes"


def test_the_generator_writes_one_file_a_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crd.main(tmp_path / "crds")
    assert {p.name for p in (tmp_path / "crds").iterdir()} == {"meshservices.yaml", "revisions.yaml"}
    assert "meshservices.yaml" in capsys.readouterr().out


@pytest.mark.parametrize("resource", crd.RESOURCES, ids=lambda r: r.kind)
def test_the_schema_is_structural(resource: crd.Resource) -> None:
    for at, part in nodes(crd.schema(resource)):
        assert "title" not in part, at
        assert "$ref" not in part, at
        assert part.get("additionalProperties") is not False, at
        assert "type" in part or part.get("x-kubernetes-int-or-string"), at
        assert not ("properties" in part and "additionalProperties" in part), at
        assert part.get("type") != "array" or "items" in part, at
        assert set(part.get("required", ())) <= set(part.get("properties", {})), at


def test_every_field_a_user_writes_is_explained() -> None:
    spec = crd.schema(crd.MESHSERVICES)["properties"]["spec"]
    silent = [at for at, part in nodes(spec, "spec") if "description" not in part and not at.endswith(("[]", "{}"))]
    assert silent == []


def test_every_list_a_user_writes_is_bounded_so_that_rules_stay_cheap() -> None:
    spec = crd.schema(crd.MESHSERVICES)["properties"]["spec"]
    endless = [at for at, part in nodes(spec, "spec") if part.get("type") == "array" and "maxItems" not in part]
    assert endless == []


def test_each_rule_is_in_the_schema_with_a_message_that_has_its_remedy() -> None:
    found = [
        rule for _, part in nodes(crd.schema(crd.MESHSERVICES)) for rule in part.get("x-kubernetes-validations", ())
    ]
    for rule in RULES:
        validation = next(v for v in found if v["rule"] == rule.cel and rule.remedy in v["message"])
        assert ("messageExpression" in validation) == bool(rule.shown_cel)


def test_defaults_reach_nested_objects_through_empty_maps() -> None:
    assert node(("spec", "traffic"))["default"] == {}
    assert node(("spec", "traffic", "retries"))["default"] == {}
    assert node(("spec", "traffic", "retries", "attempts"))["default"] == 2
    assert "default" not in node(("spec", "autoscaling"))
    assert "default" not in node(("spec", "security"))
    assert "default" not in node(("spec", "security", "calls", 0, "protocol"))


def test_a_revision_is_neither_completed_nor_judged_by_the_api_server() -> None:
    for at, part in nodes(crd.schema(crd.REVISIONS)):
        assert "default" not in part, at
        assert "x-kubernetes-validations" not in part, at


def test_helm_never_deletes_a_definition() -> None:
    for resource in crd.RESOURCES:
        annotations = yaml.safe_load(crd.text(resource))["metadata"]["annotations"]
        assert annotations["helm.sh/resource-policy"] == "keep"


ROWS: dict[str, list[tuple[str, ...]]] = {
    "MeshService": [
        ("notifications", "RollingBack", "12", "13", "25", "6", "119m", "errors 7.2 %, stable 0.031 %"),
        ("orders", "Starting", "3", "4", "0", "3", "14d", "image orders:4 can't be pul…"),
    ],
    "Revision": [
        ("notifications-13", "Canary", "RollingBack", "100", "12", "119m", "calm: stable itself varies"),
        ("orders-3", "Kept", "Superseded", "0", "0", "14d", "the template changed again:…"),
    ],
}


@pytest.mark.parametrize("resource", crd.RESOURCES, ids=lambda r: r.kind)
def test_columns_fit_100_characters_with_the_longest_values(resource: crd.Resource) -> None:
    heads = ("NAME", *(str(c["name"]) for c in resource.columns if not c.get("priority")))
    widths = [max(len(row[i]) for row in (heads, *ROWS[resource.kind])) for i in range(len(heads))]
    assert sum(widths) + 3 * (len(widths) - 1) <= 100, widths


def test_the_log_is_the_last_column_that_everybody_sees() -> None:
    for resource in crd.RESOURCES:
        assert next(c["name"] for c in reversed(resource.columns) if not c.get("priority")) == "Log"


def nodes(part: dict[str, Any], at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield at, part
    for name, child in part.get("properties", {}).items():
        yield from nodes(child, f"{at}.{name}" if at else name)
    if "items" in part:
        yield from nodes(part["items"], f"{at}[]")
    if isinstance(part.get("additionalProperties"), dict):
        yield from nodes(part["additionalProperties"], f"{at}{{}}")
