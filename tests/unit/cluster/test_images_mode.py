import os
import time
from pathlib import Path

import pytest

from cluster.commands import Failure
from cluster.images.manifest import load_manifest
from cluster.images.mode import Mode, decide, first_of_each_registry, from_registries, refusal

MANIFEST = load_manifest()


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for a program that is found as `docker`."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "docker"


def says(docker: Path, script: str) -> None:
    docker.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    docker.chmod(0o755)


def test_images_are_pulled_where_every_registry_begins_to_answer(docker: Path) -> None:
    says(docker, 'echo "v1: Pulling from example/node"; exec sleep 60')
    began = time.monotonic()
    decision = from_registries({"docker.io": "docker.io/a:1", "registry.k8s.io": "registry.k8s.io/b:1"}, patience=30)
    assert decision.mode is Mode.PULL
    assert decision.reason == "docker.io and registry.k8s.io answer"
    assert time.monotonic() - began < 10


def test_images_are_built_where_one_registry_refuses_and_the_reason_is_its_own(docker: Path) -> None:
    says(
        docker,
        'case "$2" in docker.io/*) echo "1: Pulling from a";; '
        '*) echo "Error response from daemon: no such host" >&2; exit 1;; esac',
    )
    decision = from_registries({"docker.io": "docker.io/a:1", "registry.k8s.io": "registry.k8s.io/b:1"}, patience=30)
    assert decision.mode is Mode.BUILD
    assert decision.reason == "registry.k8s.io gives no image: no such host"


def test_a_registry_that_never_answers_is_not_waited_for(docker: Path) -> None:
    says(docker, "exec sleep 60")
    assert refusal("docker.io/a:1", patience=0.2) == "no answer within 0.2 s"


def test_a_refusal_without_words_says_so(docker: Path) -> None:
    says(docker, "exit 1")
    assert refusal("docker.io/a:1", patience=30) == "it failed without a word"


def test_what_the_user_asks_for_is_done_without_asking_anybody(docker: Path) -> None:
    says(docker, "exit 1")
    assert decide("pull", MANIFEST).mode is Mode.PULL
    assert decide("build", MANIFEST).reason == "IMAGES=build asks for it"


def test_another_word_is_refused_with_the_choices() -> None:
    with pytest.raises(Failure, match="IMAGES=auto, IMAGES=pull or IMAGES=build"):
        decide("fetch", MANIFEST)


@pytest.mark.parametrize(("label", "mode"), [("0123456789ab", Mode.BUILD), ("", Mode.PULL)])
def test_a_cluster_keeps_the_kind_of_images_it_was_made_from(docker: Path, label: str, mode: Mode) -> None:
    says(docker, f'[ "$1" = inspect ] && echo "{label}"')
    assert decide("auto", MANIFEST).mode is mode


def test_each_registry_is_asked_once_and_for_an_image_that_is_listed() -> None:
    asked = first_of_each_registry(MANIFEST)
    assert set(asked) == {"docker.io", "registry.k8s.io"}
    assert set(asked.values()) <= {image.pull for image in MANIFEST.images.values()}
