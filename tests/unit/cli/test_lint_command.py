"""`seatrial lint`: a line a problem with file and line, and exit code 1."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

GOOD = """\
apiVersion: seatrial.dev/v1alpha1
kind: MeshService
metadata: {name: orders, annotations: {since: 2026-11-21}}
spec:
  image: orders:1
  port: 8080
"""
BAD = """\
---
---
apiVersion: v1
kind: List
items:
- apiVersion: seatrial.dev/v1alpha1
  kind: MeshService
  metadata: {name: gateway}
  spec:
    image: gateway:1
    traffic:
      retries:
        on: [5xx]
        attempts: 99
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "bad.yml").write_text(BAD)
    (tmp_path / "notes.txt").write_text("{{ no manifest }}")
    return tmp_path


def test_a_good_manifest_ends_well(folder: Path, seatrial: Run) -> None:
    shown = seatrial("lint", str(folder / "good.yaml"))
    assert (shown.code, shown.out) == (0, "")
    assert shown.err == "objects: 1, files: 1, nothing to say\n"


def test_a_bad_one_in_a_folder_is_told_by_file_and_line(folder: Path, seatrial: Run) -> None:
    shown = seatrial("lint", str(folder))
    assert shown.code == 1
    bad = folder / "deeper" / "bad.yml"
    told = " ".join(shown.out.split())
    assert f"{bad}:13: refused: MeshService gateway: spec.traffic.retries.true: there is no such field" in told
    assert f"{bad}:14: refused: MeshService gateway: spec.traffic.retries.attempts: 99 is more than 10" in told
    assert shown.err == "objects: 2, files: 2, problems: 2, advice: 0\n"


def test_advice_is_no_failure_unless_asked(tmp_path: Path, seatrial: Run) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(GOOD.replace("orders:1", "orders"))
    assert seatrial("lint", str(file)).code == 0
    strict = seatrial("lint", "--strict", str(file))
    assert strict.code == 1
    assert "a.yaml:5: advice: MeshService orders: spec.image" in strict.out.replace("\n", " ").replace("  ", " ")


def test_standard_input_is_read(seatrial: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(BAD))
    assert "<stdin>:13" in seatrial("lint", "-").out


def test_programs_get_values_and_remedies(folder: Path, seatrial: Run) -> None:
    shown = seatrial("lint", "-o", "json", str(folder))
    assert shown.code == 1
    found = json.loads(shown.out)
    assert {p["line"]: p["value"] for p in found} == {13: ["5xx"], 14: 99}
    assert all(p["remedy"] and p["level"] == "refused" for p in found)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [b", "isn't YAML"),
        ("image: {{ .Values.image }}:x\nb: {{ c }}", "helm template"),
        ("- a\n- b\n", "isn't an object"),
    ],
)
def test_what_isnt_a_manifest_is_told(tmp_path: Path, seatrial: Run, text: str, says: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    shown = seatrial("lint", str(file))
    assert shown.code == 1
    assert says in shown.out


def test_a_file_that_isnt_there_is_one_line(tmp_path: Path, seatrial: Run) -> None:
    shown = seatrial("lint", str(tmp_path / "no.yaml"))
    assert shown.code == 1
    assert "No such file or directory; name a file that is there" in shown.err
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    assert "isn't text in UTF-8" in seatrial("lint", str(tmp_path / "bytes.yaml")).err
