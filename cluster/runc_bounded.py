"""runc, asked only for what this host can grant.

On some virtual machines and containers even root lacks a capability, most often CAP_SYS_RESOURCE. There runc refuses
every privileged container, and every process whose OOM score is to be lowered. Docker starts this file in runc's place:
it takes the capabilities that the host hasn't out of what it is asked to start, raises negative OOM scores to 0 where
they can't be had, and becomes runc. It stands alone: the system's Python runs it, without this project.
"""

# ruff: noqa: PTH118, PTH123
# It runs once for every process that starts in a container, and to import pathlib costs more than all the rest.

from __future__ import annotations

import json
import os
import sys
from typing import Any

CAP_SYS_RESOURCE = "CAP_SYS_RESOURCE"
# In the order of their numbers: linux/capability.h
CAPABILITIES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
)
_WITH_VALUE = {"--log", "--log-format", "--root", "--criu", "--rootless"}


def granted(bounding: int) -> set[str]:
    """Name the capabilities in a bounding set, given as the number in /proc/self/status."""
    return {name for bit, name in enumerate(CAPABILITIES) if bounding >> bit & 1}


def bounded(process: dict[str, Any], have: set[str]) -> dict[str, Any]:
    """Return an OCI process that asks for nothing but what is in `have`."""
    capabilities = {
        kind: [name for name in names if name in have] for kind, names in (process.get("capabilities") or {}).items()
    }
    changed = dict(process)
    if capabilities:
        changed["capabilities"] = capabilities
    if CAP_SYS_RESOURCE not in have and (process.get("oomScoreAdj") or 0) < 0:
        changed["oomScoreAdj"] = 0
    return changed


def option(arguments: list[str], long: str, short: str) -> str | None:
    """Return the value of an option of a runc verb, in any of its spellings, or None."""
    for at, word in enumerate(arguments):
        if word in (long, short):
            return arguments[at + 1] if at + 1 < len(arguments) else None
        if word.startswith(long + "="):
            return word[len(long) + 1 :]
    return None


def verb_of(arguments: list[str]) -> tuple[str, list[str]]:
    """Split runc's arguments behind its global options: the verb and what belongs to it."""
    at = 0
    while at < len(arguments) and arguments[at].startswith("-"):
        at += 2 if arguments[at] in _WITH_VALUE else 1
    return (arguments[at], arguments[at + 1 :]) if at < len(arguments) else ("", [])


def to_bound(arguments: list[str]) -> tuple[str, bool] | None:
    """Find the file that says what runc will start, and whether it is a whole container's; None when there is none."""
    verb, rest = verb_of(arguments)
    if verb in ("create", "run", "restore"):
        return os.path.join(option(rest, "--bundle", "-b") or ".", "config.json"), True
    if verb == "exec":
        file = option(rest, "--process", "-p")
        return (file, False) if file else None
    return None


def rewrite(file: str, have: set[str], *, whole: bool) -> None:
    """Bound the process described in `file`."""
    with open(file, encoding="utf-8") as asked:
        config = json.load(asked)
    if whole:
        config["process"] = bounded(config.get("process") or {}, have)
    else:
        config = bounded(config, have)
    with open(file, "w", encoding="utf-8") as answer:
        json.dump(config, answer)


def main(arguments: list[str]) -> None:
    """Bound what is asked for, then become runc."""
    found = to_bound(arguments)
    if found:
        with open("/proc/self/status", encoding="ascii") as status:
            bounding = next(int(line.split()[1], 16) for line in status if line.startswith("CapBnd:"))
        file, whole = found
        rewrite(file, granted(bounding), whole=whole)
    os.execvp("runc", ["runc", *arguments])  # noqa: S606 - to become runc is what this is for


if __name__ == "__main__":
    main(sys.argv[1:])
