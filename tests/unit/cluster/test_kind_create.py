"""The step that makes a cluster, with programs of the test's own for docker, kind and kubectl."""

from pathlib import Path

import pytest

from cluster import kind
from cluster.host import Facts
from cluster.images import Mode

# The node an interrupted run began: Docker shows it only after kind has found that its name is taken.
KIND = """#!/bin/sh
echo "kind $*" >> {here}/said
case "$1 $2" in
"create cluster")
  if [ ! -e {here}/deleted ]; then
    touch {here}/container
    echo 'ERROR: failed to create cluster: node(s) already exist for a cluster with the name "seatrial"' >&2
    exit 1
  fi
  touch {here}/container ;;
"delete cluster") rm -f {here}/container; touch {here}/deleted ;;
esac
"""
DOCKER = """#!/bin/sh
echo "docker $*" >> {here}/said
case "$1" in
inspect) [ -e {here}/container ] && echo created ;;
exec) case "$*" in *"test -e"*) exit 1 ;; esac ;;
esac
"""
KUBECTL = """#!/bin/sh
case "$*" in *"get node"*) echo '{"status": {"conditions": [{"type": "Ready", "status": "True"}]}}' ;; esac
"""


class Silent:
    def say(self, text: str) -> None: ...
    def advance(self, done: int, total: int) -> None: ...
    def tail(self, line: str) -> None: ...


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, script in (("kind", KIND), ("docker", DOCKER), ("kubectl", KUBECTL)):
        program = tmp_path / name
        program.write_text(script.replace("{here}", str(tmp_path)))
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr("cluster.kubectl._binary", lambda: tmp_path / "kubectl")
    monkeypatch.setattr(kind, "_kind", lambda: tmp_path / "kind")
    monkeypatch.setattr(kind, "begin_metrics", lambda: None)
    monkeypatch.setattr(kind, "drop_old_nodes", lambda: None)
    return tmp_path


def test_a_node_that_shows_up_late_after_an_interrupted_run_is_removed_and_made_anew(programs: Path) -> None:
    (step,) = kind.kind_steps(Facts(), Mode.BUILD)
    step.run(Silent())
    said = (programs / "said").read_text().splitlines()
    kinds = [line.split()[1] for line in said if line.startswith("kind ")]
    assert kinds == ["create", "delete", "create"]
    assert "touch" in said[-1]
