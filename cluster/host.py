"""Facts about the machine, read once and kept in a value, so that everything that decides is a function of that value.

Reading has no effect on the machine. Nothing here judges: what is wrong and what to do is `doctor`'s and `docker`'s.
"""

import json
import os
import platform
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.cache import cache_root
from cluster.commands import probe
from cluster.ports import Listener, listener_on

CLUSTER = "seatrial"
CONTEXT = f"kind-{CLUSTER}"
NODE = f"{CLUSTER}-control-plane"
WHOLE = "/kind/seatrial-is-whole"  # set in the node when its making came to an end
GATEWAY_PORT = 8080
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

CAP_NET_ADMIN = 12
CAP_SYS_ADMIN = 21
CAP_SYS_RESOURCE = 24


@dataclass(frozen=True)
class Engine:
    """What a Docker engine says about itself. `capabilities` is its bounding set, None where that can't be seen."""

    version: str
    root: Path
    cgroup: int
    runtime: str = "runc"
    rootless: bool = False
    buildx: bool = False
    capabilities: int | None = None


@dataclass(frozen=True)
class Node:
    """The container of a kind node of our cluster's name.

    `whole`: its making came to an end. `answers`: so does its API. `age`: seconds since it was started.
    """

    name: str
    state: str
    ports: tuple[int, ...] = ()
    whole: bool = False
    answers: bool = False
    age: float = 0.0


@dataclass(frozen=True)
class Facts:
    """A machine, as far as it matters to a cluster. Sizes are bytes."""

    system: str = "Linux"
    os_name: str = "Debian GNU/Linux 12 (bookworm)"
    os_family: frozenset[str] = frozenset({"debian"})
    user: str = "root"
    root: bool = True
    systemd: bool = True
    apt: bool = True
    capabilities: int = (1 << 41) - 1
    cgroup: int | None = 2
    docker_cli: str | None = None
    podman: bool = False
    dockerd: str | None = None
    docker_half_installed: bool = False
    docker_unit: bool = False
    docker_host: str | None = None
    engine: Engine | None = None
    engine_error: str = ""
    nodes: tuple[Node, ...] = ()
    listener: Listener | None = None
    inotify_instances: int = 1024
    inotify_watches: int = 1_048_576
    cpus: int = 2
    memory: int = 24 << 30
    memory_available: int = 22 << 30
    docker_disk_free: int = 60 << 30
    cache_disk_free: int = 60 << 30
    one_disk: bool = True
    tools: tuple[tuple[str, str], ...] = ()

    def may(self, capability: int) -> bool:
        """Tell whether a process of ours can have the capability."""
        return bool(self.capabilities >> capability & 1)


def read_facts() -> Facts:
    """Look at this machine; takes about a second."""
    release = _os_release(Path("/etc/os-release"))
    cli = shutil.which("docker")
    engine, error = _engine(cli)
    docker_root = engine.root if engine else Path("/var/lib/docker")
    memory = _meminfo(Path("/proc/meminfo"))
    return Facts(
        system=platform.system(),
        os_name=release.get("PRETTY_NAME", platform.platform()),
        os_family=frozenset({release.get("ID", ""), *release.get("ID_LIKE", "").split()}),
        user=pwd.getpwuid(os.getuid()).pw_name,
        root=os.geteuid() == 0,
        systemd=Path("/run/systemd/system").is_dir(),
        apt=shutil.which("apt-get") is not None,
        capabilities=bounding_set("self") or 0,
        cgroup=_cgroup(Path("/proc/self/mounts")),
        docker_cli=cli,
        podman=cli is not None and "podman" in (probe([cli, "--version"]) or "").lower(),
        dockerd=shutil.which("dockerd") or shutil.which("dockerd", path=SYSTEM_PATH),
        docker_half_installed=is_half_installed("docker.io"),
        docker_unit=probe(["systemctl", "cat", "docker.service"]) is not None,
        docker_host=os.environ.get("DOCKER_HOST"),
        engine=engine,
        engine_error=error,
        nodes=_nodes(cli) if cli and engine else (),
        listener=listener_on(GATEWAY_PORT),
        inotify_instances=_number(Path("/proc/sys/fs/inotify/max_user_instances")),
        inotify_watches=_number(Path("/proc/sys/fs/inotify/max_user_watches")),
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory=memory.get("MemTotal", 0),
        memory_available=memory.get("MemAvailable", 0),
        docker_disk_free=_free(docker_root),
        cache_disk_free=_free(cache_root()),
        one_disk=_nearest(docker_root).stat().st_dev == _nearest(cache_root()).stat().st_dev,
        tools=_tools(),
    )


def is_half_installed(package: str) -> bool:
    """Tell whether dpkg was interrupted after it had begun with the package."""
    state = probe(["dpkg-query", "--show", "--showformat=${db:Status-Abbrev}", package]) or ""
    return state[1:2] in {"U", "F", "H", "W", "t"}


def bounding_set(pid: int | str) -> int | None:
    """Read the capabilities that a process and its children can have at most; None where /proc doesn't tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    return next((int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapBnd:")), None)


def pid_in(file: Path, name: str) -> int | None:
    """Read a pid file; None when the process has ended, or another one has its number now."""
    try:
        pid = int(file.read_text(encoding="ascii"))
        running, _, rest = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")
    except (OSError, ValueError):
        return None
    is_zombie = rest.split()[0] == "Z"
    return pid if running.partition("(")[2] == name[:15] and not is_zombie else None


def _engine(cli: str | None) -> tuple[Engine | None, str]:
    """Ask the engine who it is: the engine, or None and what the client said instead."""
    if cli is None:
        return None, ""
    try:
        asked = subprocess.run(
            [cli, "info", "--format", "{{json .}}"], capture_output=True, text=True, timeout=20, check=False
        )
    except subprocess.TimeoutExpired:
        return None, "the Docker engine did not answer within 20 s"
    return parse_engine(asked.stdout, asked.stderr, bounding_set(pid_in(Path("/run/docker.pid"), "dockerd") or ""))


def parse_engine(answer: str, error: str, capabilities: int | None) -> tuple[Engine | None, str]:
    """Read the answer of `docker info` as JSON; a client without an engine answers too, with its errors inside."""
    try:
        info: dict[str, Any] = json.loads(answer or "{}")
    except ValueError:
        info = {}
    errors = info.get("ServerErrors") or []
    if errors or not info.get("ServerVersion"):
        return None, " ".join([*errors, error.strip()]).strip()
    plugins = (info.get("ClientInfo") or {}).get("Plugins") or []
    security = info.get("SecurityOptions") or []
    engine = Engine(
        version=info["ServerVersion"],
        root=Path(info.get("DockerRootDir") or "/var/lib/docker"),
        cgroup=int(info.get("CgroupVersion") or 1),
        runtime=info.get("DefaultRuntime") or "runc",
        rootless=any("rootless" in option for option in security),
        buildx=any(plugin.get("Name") == "buildx" for plugin in plugins),
        capabilities=capabilities,
    )
    return engine, ""


def _nodes(cli: str) -> tuple[Node, ...]:
    names = probe([cli, "ps", "-aq", "--filter", f"label=io.x-k8s.kind.cluster={CLUSTER}"])
    if not names or not names.split():
        return ()
    uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    whole = probe([cli, "exec", NODE, "test", "-e", WHOLE]) is not None
    inspected = probe([cli, "inspect", *names.split()]) or "[]"
    return parse_nodes(inspected, whole=whole, answers=api_answers(), uptime=uptime)


def api_answers() -> bool:
    """Tell whether the cluster's API says that it is well. A busy one may miss a look, and isn't broken for that."""
    return any(probe(["kubectl", "--context", CONTEXT, "get", "--raw", "/readyz"], timeout=5) for _ in range(3))


def parse_nodes(inspected: str, *, whole: bool, answers: bool, uptime: float) -> tuple[Node, ...]:
    """Read the answer of `docker inspect`; the age of a running node comes from its first process."""
    nodes = []
    for container in json.loads(inspected):
        bindings = (container["HostConfig"].get("PortBindings") or {}).values()
        ports = sorted(int(bound["HostPort"]) for some in bindings for bound in some or [] if bound.get("HostPort"))
        state = container["State"]
        nodes.append(
            Node(
                name=container["Name"].lstrip("/"),
                state=state["Status"],
                ports=tuple(ports),
                whole=whole,
                answers=answers and state["Status"] == "running",
                age=_age(state.get("Pid") or 0, uptime),
            )
        )
    return tuple(nodes)


def _age(pid: int, uptime: float) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0.0
    started = int(stat.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return max(0.0, uptime - started)


def _cgroup(mounts: Path) -> int | None:
    """Tell the cgroup version: 2 where it is the only one, 1 where controllers are mounted one by one, or None."""
    try:
        lines = [line.split() for line in mounts.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return None
    return cgroup_version([(words[1], words[2]) for words in lines])


def cgroup_version(mounts: list[tuple[str, str]]) -> int | None:
    """Decide from (mount point, file system type); a hybrid host counts as version 1, as Docker counts it."""
    if any(kind == "cgroup" for _, kind in mounts):
        return 1
    return 2 if ("/sys/fs/cgroup", "cgroup2") in mounts else None


def _tools() -> tuple[tuple[str, str], ...]:
    asked = {
        "python": ["python", "--version"],
        "make": ["make", "--version"],
        "git": ["git", "--version"],
        "docker": ["docker", "--version"],
        "kubectl": ["kubectl", "version", "--client"],
        "helm": ["helm", "version", "--short"],
        "kind": ["kind", "version"],
        "istioctl": ["istioctl", "version", "--remote=false", "--short"],
    }
    answers = {name: (probe(argv) or "").strip() for name, argv in asked.items()}
    return tuple((name, answer.splitlines()[0] if answer else "") for name, answer in answers.items())


def _os_release(file: Path) -> dict[str, str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {key: value.strip("\"'") for key, _, value in pairs}


def _meminfo(file: Path) -> dict[str, int]:
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    return {name: int(rest.split()[0]) << 10 for name, _, rest in (line.partition(":") for line in lines)}


def _number(file: Path) -> int:
    try:
        return int(file.read_text(encoding="ascii"))
    except OSError:
        return 0


def _nearest(path: Path) -> Path:
    """Give the path, or its closest folder that exists: where it would be made."""
    while not path.exists():
        path = path.parent
    return path


def _free(path: Path) -> int:
    return shutil.disk_usage(_nearest(path)).free
