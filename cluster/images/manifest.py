"""The one list of images: `manifest.yaml` as values.

How an image is pulled and how it is built stand side by side there, under the name that everybody else uses; so nobody
else needs to know which of the two it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import ConfigDict, TypeAdapter

HERE = Path(__file__).parent

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Tools:
    """What is compiled: `binaries` renames some, `client` are those that people run."""

    __pydantic_config__ = _STRICT
    binaries: Mapping[str, str]
    client: tuple[str, ...]
    ldflags: tuple[str, ...]


@dataclass(frozen=True)
class Root:
    """A Debian root file system; `keyring` names the root whose keys verify it, else the host's do."""

    __pydantic_config__ = _STRICT
    suite: str
    packages: tuple[str, ...]
    remove: tuple[str, ...] = ()
    keyring: str | None = None


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
    use: Literal["node", "preload", "base"]
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

    def names(self, use: Literal["node", "preload", "base"]) -> tuple[str, ...]:
        """List the images of one use."""
        return tuple(name for name, image in self.images.items() if image.use == use)

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
