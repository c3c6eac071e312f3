"""Who listens on a TCP port of this machine, read from /proc as far as the user may see it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_LISTENING = "0A"


@dataclass(frozen=True)
class Listener:
    """Who holds a port; None and an empty name where only root may see it."""

    pid: int | None
    program: str


def listener_on(port: int, proc: Path = Path("/proc")) -> Listener | None:
    """Find who listens on the port, on any local address; None when it is free."""
    inodes: set[str] = set()
    for table in ("tcp", "tcp6"):
        try:
            inodes |= listening_inodes((proc / "net" / table).read_text(encoding="ascii").splitlines(), port)
        except OSError:
            continue
    if not inodes:
        return None
    return _holder(proc, {f"socket:[{inode}]" for inode in inodes}) or Listener(None, "")


def listening_inodes(table: Iterable[str], port: int) -> set[str]:
    """Pick the sockets that listen on the port from a table like /proc/net/tcp."""
    suffix = f":{port:04X}"
    rows = (line.split() for line in table)
    return {row[9] for row in rows if len(row) > 9 and row[3] == _LISTENING and row[1].endswith(suffix)}


def _holder(proc: Path, sockets: set[str]) -> Listener | None:
    for process in proc.iterdir():
        if process.name.isdigit() and _holds(process, sockets):
            words = (process / "cmdline").read_bytes().split(b"\0")
            return Listener(int(process.name), Path(words[0].decode(errors="replace")).name)
    return None


def _holds(process: Path, sockets: set[str]) -> bool:
    try:
        return any(str(file.readlink()) in sockets for file in (process / "fd").iterdir())
    except OSError:  # it is gone, or another user's
        return False
