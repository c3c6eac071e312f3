import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from cluster.images.gotools import SOURCE, GoTools
from cluster.images.manifest import Build, load_manifest, parse_manifest
from cluster.images.recipes import files_of
from cluster.images.wheels import pin, pins

ROOT = Path(__file__).parents[3]
MANIFEST = load_manifest()
GO_MOD = (SOURCE / "go.mod").read_text(encoding="utf-8")


def sources(kind: str) -> set[str]:
    builds = [image.build for image in MANIFEST.images.values()]
    named = {source for build in builds for copy in build.copy for source in copy.sources}
    return {source.split(":")[1] for source in named if source.startswith(f"{kind}:")}


def version_of(module: str) -> str:
    found = re.search(rf"^\t{re.escape(module)} (\S+)", GO_MOD, re.MULTILINE)
    assert found
    return found[1]


def test_every_program_that_a_recipe_needs_is_compiled_and_every_compiled_one_is_needed() -> None:
    tools = GoTools(MANIFEST)
    assert sources("tool") | tools.client == tools.all


def test_every_root_and_wheel_that_a_recipe_needs_is_listed() -> None:
    assert {image.build.root for image in MANIFEST.images.values()} - {None} == set(MANIFEST.roots)
    for package in sources("wheel"):
        assert "--hash=sha256:" in pin(pins(), package)


def test_a_cluster_waits_for_nothing_that_only_the_shop_needs() -> None:
    shop = MANIFEST.names("shop")
    assert not set(shop) & set(MANIFEST.of_cluster)
    assert "data" not in MANIFEST.roots_of(MANIFEST.of_cluster)
    assert MANIFEST.roots_of(shop) == ("node", "data"), "the node's root holds the keys that verify the other"


def test_every_file_of_ours_that_a_recipe_needs_is_there() -> None:
    for path in sources("file"):
        assert (ROOT / "cluster" / "images" / path).is_file()


def test_the_cluster_calls_itself_what_was_compiled() -> None:
    kubernetes = version_of("k8s.io/kubernetes")
    assert kubernetes == MANIFEST.kubernetes
    assert f"-X=k8s.io/component-base/version.gitVersion={kubernetes}" in MANIFEST.tools.ldflags
    assert MANIFEST.images[MANIFEST.node].build.write["/kind/version"] == kubernetes
    assert f"registry.k8s.io/kube-apiserver:{kubernetes}" in MANIFEST.images


def test_a_pulled_node_has_the_minor_version_of_a_built_one() -> None:
    pulled = MANIFEST.images[MANIFEST.node].pull or ""
    assert pulled.rpartition(":")[2].split(".")[:2] == MANIFEST.kubernetes.split(".")[:2]


def test_metrics_server_is_the_one_that_was_compiled() -> None:
    deployed = (ROOT / "cluster" / "manifests" / "metrics-server.yaml").read_text(encoding="utf-8")
    image = f"registry.k8s.io/metrics-server/metrics-server:{version_of('sigs.k8s.io/metrics-server')}"
    assert image in MANIFEST.images
    assert f"image: {image}\n" in deployed


def test_istio_asks_for_images_that_are_listed() -> None:
    spec = yaml.safe_load((ROOT / "mesh" / "istio.yaml").read_text(encoding="utf-8"))["spec"]
    wanted = {f"{spec['hub']}/{name}:{spec['tag']}" for name in ("pilot", "proxyv2", "install-cni")}
    assert wanted <= set(MANIFEST.names("preload"))
    assert f"-X=istio.io/istio/pkg/version.buildVersion={spec['tag']}" in MANIFEST.tools.ldflags


def test_kind_asks_for_the_node_image_that_is_listed() -> None:
    config = yaml.safe_load((ROOT / "kind-config.yaml").read_text(encoding="utf-8"))
    assert [node["image"] for node in config["nodes"]] == [MANIFEST.node]


def test_only_what_kubeadm_brings_itself_has_no_pull_reference() -> None:
    unpulled = {name for name, image in MANIFEST.images.items() if image.pull is None}
    assert all(name.startswith("registry.k8s.io/") for name in unpulled)
    assert unpulled <= set(MANIFEST.names("preload"))


def test_a_field_that_nobody_knows_is_refused() -> None:
    text = (ROOT / "cluster" / "images" / "manifest.yaml").read_text(encoding="utf-8")
    with pytest.raises(ValidationError):
        parse_manifest(text.replace("    use: base", "    use: base\n    entrypiont: [python]", 1))


def test_a_folder_is_copied_whole_and_a_file_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "etc" / "inner").mkdir(parents=True)
    (tmp_path / "etc" / "inner" / "a").write_text("a", encoding="utf-8")
    (tmp_path / "b").write_text("b", encoding="utf-8")
    recipe = parse_manifest(
        """
        kubernetes: v1
        tools: {binaries: {}, client: [], ldflags: []}
        roots: {}
        images:
          some:
            use: base
            build:
              copy:
              - {to: /etc/, sources: ["module:etc"]}
              - {to: /usr/bin/, sources: ["tool:x/b"]}
              - {to: /renamed, sources: ["tool:x/b"], mode: 0644}
        """
    ).images["some"]
    files = files_of(recipe.build, lambda source: tmp_path / source.rpartition(":")[2].removeprefix("x/"))
    assert [(file.path, file.mode) for file in files] == [
        ("/etc/inner/a", 0o755),
        ("/usr/bin/b", 0o755),
        ("/renamed", 0o644),
    ]


def test_a_recipe_needs_nothing_but_what_it_says() -> None:
    assert list(files_of(Build(), Path)) == []
