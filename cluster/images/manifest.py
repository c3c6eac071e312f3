"""The one list of images: `manifest.yaml` as values.

How an image is pulled and how it is built stand side by side there, under the name that everybody else uses; so nobody
else needs to know which of the two it was.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import ConfigDict, TypeAdapter

HERE = Path(__file__).parent

_STRICT = ConfigDict(extra="forbid")

Use = Literal["node", "preload", "base", "shop"]


@dataclass(frozen=True)
class Tools:
    """What is compiled: `binaries` renames some, `client` are those that people run."""

    __pydantic_config__ = _STRICT
    binaries: Mapping[str, str]
    client: tuple[str, ...]
    ldflags: tuple[str, ...]


@dataclass(frozen=True)
class Root:
    """A Debian root file system; `keyring` names the root whose keys verify it, else the host's do.

    `variant` is mmdebstrap's: `extract` only unpacks packages, none of their scripts runs.
    """

    __pydantic_config__ = _STRICT
    suite: str
    packages: tuple[str, ...]
    remove: tuple[str, ...] = ()
    keyring: str | None = None
    variant: Literal["minbase", "extract"] = field(default="minbase", repr=False)


@dataclass(frozen=True)
class Copy:
    """Files that go into an image: into the folder `to` when it ends with a slash, else under that very name."""

    __pydantic_config__ = _STRICT
    to: str
    sources: tuple[str, ...]
    mode: int = 0o755


@dataclass(frozen=True)
class Build:
    """How an image is made from packages."""

    __pydantic_config__ = _STRICT
    root: str | None = None
    copy: tuple[Copy, ...] = ()
    link: Mapping[str, str] = field(default_factory=dict)
    write: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    workdir: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    stop_signal: str = ""


@dataclass(frozen=True)
class Image:
    """One image; one without `pull` is part of the pulled node."""

    __pydantic_config__ = _STRICT
    use: Use
    build: Build
    pull: str | None = None


@dataclass(frozen=True)
class Manifest:
    """All of it; images by name, in the file's order."""

    __pydantic_config__ = _STRICT
    kubernetes: str
    tools: Tools
    roots: Mapping[str, Root]
    images: Mapping[str, Image]

    def names(self, use: Use) -> tuple[str, ...]:
        """List the images of one use."""
        return tuple(name for name, image in self.images.items() if image.use == use)

    @property
    def of_cluster(self) -> "Mapping[str, Image]":
        """The images that every cluster has: all but the shop's."""
        return {name: image for name, image in self.images.items() if image.use != "shop"}

    def roots_of(self, images: Iterable[str]) -> tuple[str, ...]:
        """List the root file systems that these images stand on, and those whose keys verify them."""
        named = {self.images[name].build.root for name in images}
        keys = {self.roots[name].keyring for name in named if name}
        return tuple(name for name in self.roots if name in named | keys)

    @property
    def node(self) -> str:
        """The name of the node image."""
        (name,) = self.names("node")
        return name


@cache
def load_manifest() -> Manifest:
    """Read `manifest.yaml`; a file that doesn't say what it should is an error of ours (`ValidationError`)."""
    return parse_manifest((HERE / "manifest.yaml").read_text(encoding="utf-8"))


def parse_manifest(text: str) -> Manifest:
    """Read a manifest from YAML."""
    return TypeAdapter(Manifest).validate_python(yaml.safe_load(text))
