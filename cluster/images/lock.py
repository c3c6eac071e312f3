"""The digests of pulled images: written at the first pull, obeyed ever after.

A tag can be moved by whoever owns it; a digest can't. `digests.lock` belongs under version control.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from cluster.images.manifest import HERE

LOCK = HERE / "digests.lock"
_HEAD = "# Written at the first pull of each image; delete a line to take the tag's newest image again.\n"


@dataclass(frozen=True)
class Reference:
    """An image's name, taken apart; `docker.io/library` stands where nothing else is said."""

    repository: str
    tag: str

    def at(self, digest: str) -> str:
        """Name the image by its digest."""
        return f"{self.repository}@{digest}"


def parse_reference(text: str) -> Reference:
    """Read `[registry/]repository[:tag]` as Docker does."""
    head, slash, rest = text.partition("/")
    if not slash:
        head, rest = "docker.io/library", text
    elif not (":" in head or "." in head or head == "localhost"):
        head, rest = "docker.io", text
    elif head == "docker.io" and "/" not in rest:
        head = "docker.io/library"
    name, _, tag = rest.partition(":")
    return Reference(f"{head}/{name}", tag or "latest")


def digest_among(repo_digests: list[str], reference: Reference) -> str | None:
    """Pick the digest an image has in the reference's repository out of Docker's list of them."""
    for entry in repo_digests:
        name, _, digest = entry.partition("@")
        if parse_reference(name).repository == reference.repository:
            return digest
    return None


def read_lock(path: Path = LOCK) -> Mapping[str, str]:
    """Read the locked digests by pull reference; none where nothing was ever pulled."""
    if not path.exists():
        return {}
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")) or {})


def lock_digest(reference: str, digest: str, path: Path = LOCK) -> None:
    """Add a digest to the lock; the file is replaced at once."""
    digests = {**read_lock(path), reference: digest}
    making = path.with_suffix(".making")
    making.write_text(_HEAD + yaml.safe_dump(digests), encoding="utf-8")
    making.replace(path)
