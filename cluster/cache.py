"""Where things that took time are kept, and how they are named.

Everything in the cache is named by the content it was made from, so a stale entry can't be picked up and nothing has to
be invalidated. An entry appears whole or not at all: it is made beside its place and renamed into it. The cache is
shared by all clones of a user, so whoever makes an entry holds a lock.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_SKIPPED = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}


def cache_root() -> Path:
    """`$SEATRIAL_CACHE`, or `seatrial` in the user's cache folder. It exists when this returns."""
    if chosen := os.environ.get("SEATRIAL_CACHE"):
        root = Path(chosen).expanduser().absolute()
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        root = Path(base).expanduser() / "seatrial"
    root.mkdir(parents=True, exist_ok=True)
    return root


def content_key(*parts: str | bytes | Path) -> str:
    """Name the content of `parts`: 12 hex digits of SHA-256.

    A `Path` stands for what it holds: a file's bytes and whether it may be executed, or a folder's files with their
    relative names. A missing path is an error (`FileNotFoundError`). Order counts, and so do the borders between parts.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            for name, file in _files(part):
                _feed(digest, b"file", name.encode())
                _feed(digest, b"x" if os.access(file, os.X_OK) else b"-", file.read_bytes())
        else:
            _feed(digest, b"text", part.encode() if isinstance(part, str) else part)
    return digest.hexdigest()[:12]


def _feed(digest: "hashlib._Hash", *pieces: bytes) -> None:
    for piece in pieces:
        digest.update(len(piece).to_bytes(8, "big"))
        digest.update(piece)


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if not path.is_dir():
        yield "", path
        return
    for file in sorted(path.rglob("*")):
        inner = file.relative_to(path)
        if file.is_file() and not _SKIPPED.intersection(inner.parts):
            yield inner.as_posix(), file


@contextmanager
def fresh_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside `target` that becomes `target` when the block ends well and vanishes otherwise."""
    target.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    making.chmod(0o755)
    try:
        yield making
        if target.exists():
            shutil.rmtree(target)
        making.rename(target)
    finally:
        shutil.rmtree(making, ignore_errors=True)


@contextmanager
def exclusive(name: str, *, busy: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the cache's lock `name`; another process that wants it waits, and its `busy` is called first."""
    folder = cache_root() / "locks"
    folder.mkdir(exist_ok=True)
    with (folder / name).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if busy:
                busy()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
