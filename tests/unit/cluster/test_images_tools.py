from pathlib import Path

import pytest

from cluster.commands import Failure
from cluster.images import gotools
from cluster.images.gotools import GoTools, find_go
from cluster.images.manifest import load_manifest


def tools_in_cache() -> GoTools:
    tools = GoTools(load_manifest())
    tools.folder.mkdir(parents=True)
    for name in tools.client:
        tools.binary(name).write_text(name, encoding="utf-8")
    return tools


def test_a_package_gives_its_program_the_name_it_is_known_by() -> None:
    everything = GoTools(load_manifest()).all
    assert {"etcd", "helm", "containerd-shim-runc-v2", "pause", "kubectl"} <= everything
    assert "v3" not in everything
    assert "server" not in everything


def test_programs_are_linked_into_a_clone_and_an_old_link_is_replaced(tmp_path: Path) -> None:
    tools = tools_in_cache()
    assert not tools.linked(tmp_path / "bin")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "kubectl").symlink_to("/nowhere")
    tools.link(tmp_path / "bin")
    assert tools.linked(tmp_path / "bin")
    assert (tmp_path / "bin" / "kubectl").read_text(encoding="utf-8") == "kubectl"
    assert {path.name for path in (tmp_path / "bin").iterdir()} == tools.client


def test_a_program_that_is_missing_is_seen() -> None:
    tools = tools_in_cache()
    assert tools.built(tools.client)
    assert not tools.built(tools.all)


def test_a_go_that_is_new_enough_is_taken_from_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho go1.26.1\n", encoding="utf-8")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_go() == go


def test_an_old_go_is_passed_over_for_one_that_comes_as_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, version in (("old", "go1.19.8"), ("package/go/bin", "go1.26.6")):
        (tmp_path / folder).mkdir(parents=True)
        go = tmp_path / folder / "go"
        go.write_text(f"#!/bin/sh\necho {version}\n", encoding="utf-8")
        go.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "old"))
    monkeypatch.setattr(gotools, "_USUAL_PLACE", tmp_path / "nowhere")
    monkeypatch.setattr(gotools, "wheel", lambda package: tmp_path / "package")
    assert find_go() == tmp_path / "package/go/bin/go"


def test_a_package_without_a_go_that_runs_here_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(gotools, "_USUAL_PLACE", tmp_path / "nowhere")
    monkeypatch.setattr(gotools, "wheel", lambda package: tmp_path)
    with pytest.raises(Failure, match=r"install Go 1\.26"):
        find_go()
