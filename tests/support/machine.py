"""What figures are read beside: the machine, how busy it is, and the CPU time of processes."""

import os
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def machine_now() -> str:
    """Cores and load, to print beside a figure."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used itself, in user and kernel mode."""
    fields = _fields(Path(f"/proc/{pid}/stat"))
    return (int(fields[11]) + int(fields[12])) / _TICK


def cpu_seconds_of_family(pid: int) -> float:
    """CPU time that a process has used, its children's too, those that are gone included."""
    children: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = _fields(path)
        except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            continue
        one = int(path.parent.name)
        children.setdefault(int(fields[1]), []).append(one)
        used[one] = sum(map(int, fields[11:15])) / _TICK
    family = [pid]
    for member in family:
        family += children.get(member, [])
    return sum(used[member] for member in family)


def _fields(stat: Path) -> list[str]:
    """Those behind the name, which may hold blanks."""
    return stat.read_text(encoding="utf-8").rpartition(")")[2].split()
