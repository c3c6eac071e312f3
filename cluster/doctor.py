"""What is wrong with a machine, and what to type.

Each check is a function of facts and gives one finding. Those that block are asked before anything is changed on the
machine; the rest is advice.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cluster import docker
from cluster.commands import Failure
from cluster.host import CAP_SYS_RESOURCE, CLUSTER, GATEWAY_PORT, NODE, Facts, Node

GIB: Final = 1 << 30
INOTIFY_INSTANCES: Final = 1024
INOTIFY_WATCHES: Final = 131_072
_STARTING = 180.0  # seconds a node may need until its API answers


class Level(Enum):
    """How bad it is."""

    GOOD = "good"
    ADVICE = "advice"
    BLOCKS = "blocks"


@dataclass(frozen=True)
class Finding:
    """What a check found: one line, and another that says what to do."""

    check: str
    level: Level
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Need:
    """What a cluster takes from a machine in bytes, by how its images come to be."""

    memory: int
    docker_disk: int
    cache_disk: int


PULLED: Final = Need(memory=3 * GIB, docker_disk=8 * GIB, cache_disk=1 * GIB)
BUILT: Final = Need(memory=5 * GIB, docker_disk=10 * GIB, cache_disk=12 * GIB)


def examine(facts: Facts, need: Need) -> tuple[Finding, ...]:
    """Check everything."""
    return (
        _system(facts),
        _docker(facts),
        _privileges(facts),
        _cgroups(facts),
        _old_cluster(facts),
        _port(facts),
        _memory(facts, need),
        _disk(facts, need),
        _inotify(facts),
        _tools(facts),
    )


def preflight(findings: tuple[Finding, ...]) -> None:
    """Raise `Failure` for what blocks; nothing on the machine has been changed by then."""
    blocking = [finding for finding in findings if finding.level is Level.BLOCKS]
    if blocking:
        more = f" (and {len(blocking) - 1} more: make doctor)" if len(blocking) > 1 else ""
        raise Failure(blocking[0].found + more, blocking[0].remedy, step=f"Check the machine: {blocking[0].check}")


def report(findings: tuple[Finding, ...], console: Console) -> None:
    """Print the findings as a table."""
    marks = {Level.GOOD: ("✔", "green"), Level.ADVICE: ("!", "yellow"), Level.BLOCKS: ("✘", "red")}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("", "Check", "Found", "What to type"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        mark, colour = marks[finding.level]
        table.add_row(Text(mark, style=colour), finding.check, Text(finding.found), Text(finding.remedy, style="bold"))
    console.print(table)


def _system(facts: Facts) -> Finding:
    what = f"{facts.os_name}, {facts.cpus} cores"
    if facts.system != "Linux":
        return Finding("System", Level.ADVICE, f"{what}: known to work on Linux only")
    if facts.cpus < 2:
        return Finding("System", Level.ADVICE, f"{what}: everything will be slow", "give the machine 2 cores or more")
    return Finding("System", Level.GOOD, what)


def _docker(facts: Facts) -> Finding:
    try:
        actions = docker.plan(facts)
    except Failure as failure:
        return Finding("Docker", Level.BLOCKS, failure.cause, failure.remedy)
    if facts.engine and not actions:
        return Finding("Docker", Level.GOOD, f"engine {facts.engine.version} runs")
    if docker.Action.INSTALL in actions:
        return Finding("Docker", Level.ADVICE, "not installed: cluster-up installs and starts it", "make cluster-up")
    if facts.engine:
        return Finding("Docker", Level.ADVICE, "its runtime must be bounded: cluster-up does so", "make cluster-up")
    return Finding("Docker", Level.ADVICE, "installed, does not run: cluster-up starts it", "make cluster-up")


def _privileges(facts: Facts) -> Finding:
    who = "root" if facts.root else f"{facts.user}, who may use Docker" if facts.engine else facts.user
    limited = facts.engine.capabilities if facts.engine else facts.capabilities
    if limited is not None and not limited >> CAP_SYS_RESOURCE & 1:
        return Finding("Privileges", Level.GOOD, f"{who}; no CAP_SYS_RESOURCE, so containers start by a bounded runc")
    return Finding("Privileges", Level.GOOD, who)


def _cgroups(facts: Facts) -> Finding:
    version = facts.engine.cgroup if facts.engine else facts.cgroup
    if version is None:
        return Finding("Cgroups", Level.BLOCKS, "none are mounted", "use a host or a virtual machine with systemd")
    if facts.engine and facts.engine.rootless and version == 1:
        return Finding(
            "Cgroups", Level.BLOCKS, "rootless Docker needs cgroup v2", "boot with systemd.unified_cgroup_hierarchy=1"
        )
    return Finding("Cgroups", Level.GOOD, f"version {version}" + (", served by older settings" if version == 1 else ""))


def _old_cluster(facts: Facts) -> Finding:
    if not facts.nodes:
        return Finding("Cluster", Level.GOOD, "none yet")
    wrong = broken(facts.nodes)
    if wrong:
        return Finding("Cluster", Level.BLOCKS, wrong, "make cluster-down, then make cluster-up")
    if facts.nodes[0].answers:
        return Finding("Cluster", Level.GOOD, "runs and answers")
    state = "is starting" if facts.nodes[0].state == "running" else f"is {facts.nodes[0].state}"
    return Finding("Cluster", Level.ADVICE, f"it {state}: cluster-up brings it back", "make cluster-up")


def broken(nodes: tuple[Node, ...]) -> str:
    """Say why a cluster of our name can't be used, brought back or finished; empty when it can."""
    if [node.name for node in nodes] != [NODE]:
        return f"a kind cluster {CLUSTER} with other nodes than ours is there: {', '.join(n.name for n in nodes)}"
    node = nodes[0]
    if GATEWAY_PORT not in node.ports:
        return f"a kind cluster {CLUSTER} is there that is not ours: it does not publish port {GATEWAY_PORT}"
    if node.state in {"dead", "removing", "paused"}:
        return f"the node of the old cluster is {node.state}"
    if node.state == "running" and node.whole and not node.answers and node.age > _STARTING:
        return f"the old cluster's API has not answered for {node.age:.0f} s"
    return ""


def _port(facts: Facts) -> Finding:
    check = f"Port {GATEWAY_PORT}"
    ours = any(node.state == "running" and GATEWAY_PORT in node.ports for node in facts.nodes)
    if facts.listener is None:
        return Finding(check, Level.GOOD, "free")
    if ours:
        return Finding(check, Level.GOOD, "the cluster's gateway")
    if facts.listener.pid is None:
        return Finding(
            check, Level.BLOCKS, "taken by another user's process", f"sudo ss -ltnp 'sport = :{GATEWAY_PORT}'"
        )
    taken = f"taken by {facts.listener.program} (process {facts.listener.pid})"
    return Finding(check, Level.BLOCKS, taken, f"kill {facts.listener.pid}, or end it as it was started")


def _memory(facts: Facts, need: Need) -> Finding:
    what = f"{_gib(facts.memory_available)} of {_gib(facts.memory)} available"
    if any(node.state == "running" for node in facts.nodes) or facts.memory_available >= need.memory:
        return Finding("Memory", Level.GOOD, what)
    return Finding(
        "Memory",
        Level.BLOCKS,
        f"{what}, {_gib(need.memory)} are needed",
        "end what uses it (ps aux --sort=-rss | head)",
    )


def _disk(facts: Facts, need: Need) -> Finding:
    what = f"{_gib(facts.docker_disk_free)} free for Docker, {_gib(facts.cache_disk_free)} for the cache"
    remedy = "free some (docker system prune), or set SEATRIAL_CACHE to a folder on another disk"
    if facts.one_disk:
        what = f"{_gib(facts.docker_disk_free)} free"
        least = need.docker_disk + need.cache_disk
        enough = facts.docker_disk_free >= least
    else:
        least = max(need.docker_disk, need.cache_disk)
        enough = facts.docker_disk_free >= need.docker_disk and facts.cache_disk_free >= need.cache_disk
    if enough:
        return Finding("Disk", Level.GOOD, what)
    return Finding("Disk", Level.BLOCKS, f"{what}, {_gib(least)} are needed", remedy)


def _inotify(facts: Facts) -> Finding:
    what = f"{facts.inotify_instances} instances, {facts.inotify_watches} watches a user"
    if facts.inotify_instances >= INOTIFY_INSTANCES and facts.inotify_watches >= INOTIFY_WATCHES:
        return Finding("Inotify", Level.GOOD, what)
    if facts.root:
        return Finding("Inotify", Level.ADVICE, f"{what}: few for many pods; cluster-up raises it", "make cluster-up")
    return Finding(
        "Inotify",
        Level.ADVICE,
        f"{what}: few for many pods",
        f"sudo sysctl fs.inotify.max_user_instances={INOTIFY_INSTANCES} fs.inotify.max_user_watches={INOTIFY_WATCHES}",
    )


def _tools(facts: Facts) -> Finding:
    found = "\n".join(
        version if name in version.lower() else f"{name} {version}" for name, version in facts.tools if version
    )
    missing = [name for name, version in facts.tools if not version]
    if missing:
        found += f"\nnot yet there: {', '.join(missing)}"
        return Finding("Tools", Level.ADVICE, found, "make cluster-up brings them")
    return Finding("Tools", Level.GOOD, found)


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
