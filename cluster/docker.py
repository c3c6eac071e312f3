"""Docker on this machine: found, installed, started, and bent only where the host demands it.

`plan` decides from facts alone what there is to do, or says why nothing can be done. What it may do on a host: install
the distribution's package, start its service, or start `dockerd` where no service manager runs. It leaves the host's
cgroups and network alone, but for what Docker itself makes.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path

from cluster import runc_bounded
from cluster.commands import Failure, Progress, await_true, command, probe, telling_line
from cluster.host import (
    CAP_NET_ADMIN,
    CAP_SYS_ADMIN,
    CAP_SYS_RESOURCE,
    SYSTEM_PATH,
    Engine,
    Facts,
    is_half_installed,
    pid_in,
)
from cluster.steps import Step

RUNTIME = "runc-bounded"
WRAPPER = Path("/usr/local/libexec/seatrial/runc-bounded")
LOG = Path("/var/log/dockerd.log")
PID = Path("/run/docker.pid")
CONTAINERD_PID = Path("/run/docker/containerd/containerd.pid")
DAEMON_JSON = Path("/etc/docker/daemon.json")


class Action(Enum):
    """What can be done about Docker, in the order in which it is done."""

    INSTALL = "install"
    BOUND_RUNC = "bound runc"
    CONFIGURE = "configure"
    START_UNIT = "start unit"
    START_DAEMON = "start daemon"
    RELOAD = "reload"


def plan(facts: Facts) -> tuple[Action, ...]:
    """Decide what makes Docker run here; empty when it does. Raises `Failure` when nothing can."""
    if facts.podman:
        raise Failure("the docker on PATH is Podman's", "install Docker itself: apt-get install docker.io")
    if facts.engine:
        return _for_running(facts, facts.engine)
    told = facts.engine_error.lower()
    if "permission denied" in told:
        raise Failure(
            f"{facts.user} may not use the Docker socket",
            f"sudo usermod -aG docker {facts.user}, then log in again (or type: newgrp docker)",
        )
    if facts.docker_host:
        raise Failure(
            f"no Docker engine answers at DOCKER_HOST={facts.docker_host}", "start it there, or type: unset DOCKER_HOST"
        )
    if facts.system != "Linux":
        raise Failure("Docker does not run", "start Docker Desktop, or whatever runs Docker on this machine")
    if facts.dockerd and not facts.docker_half_installed:
        return _for_stopped(facts)
    return _for_missing(facts)


def _for_running(facts: Facts, engine: Engine) -> tuple[Action, ...]:
    lacks = engine.capabilities is not None and not engine.capabilities >> CAP_SYS_RESOURCE & 1
    if not lacks or engine.rootless or engine.runtime != "runc":
        return ()
    if not facts.root:
        raise Failure(
            "this host's Docker lacks CAP_SYS_RESOURCE and can't start a node", "run this once as root: make cluster-up"
        )
    return (Action.BOUND_RUNC, Action.CONFIGURE, Action.RELOAD)


def _for_stopped(facts: Facts) -> tuple[Action, ...]:
    unit = facts.systemd and facts.docker_unit
    if not facts.root:
        start = "sudo systemctl start docker" if unit else "sudo make cluster-up"
        raise Failure("Docker is installed and does not run", start)
    if not (facts.may(CAP_SYS_ADMIN) and facts.may(CAP_NET_ADMIN)):
        raise Failure(
            "this root has neither CAP_SYS_ADMIN nor CAP_NET_ADMIN, so Docker can't run here",
            "use a host or a virtual machine, or a container started with --privileged",
        )
    if facts.cgroup is None:
        raise Failure(
            "no cgroups are mounted, so Docker can't run here",
            "mount them (on systemd hosts they are), or use a host or a virtual machine",
        )
    bound = not facts.may(CAP_SYS_RESOURCE)
    if unit:
        return (*((Action.BOUND_RUNC, Action.CONFIGURE) if bound else ()), Action.START_UNIT)
    return (*((Action.BOUND_RUNC,) if bound else ()), Action.START_DAEMON)


def _for_missing(facts: Facts) -> tuple[Action, ...]:
    if not (facts.apt and facts.os_family & {"debian", "ubuntu"}):
        raise Failure(
            f"Docker is not installed, and {facts.os_name} is not one where this can install it",
            "install Docker as the distribution describes it, then run this again",
        )
    if not facts.root:
        raise Failure("Docker is not installed", "sudo apt-get install -y docker.io, then run this again")
    return (Action.INSTALL, *_for_stopped(facts))


def steps(facts: Facts) -> list[Step]:
    """Give the steps that make Docker run."""
    bound = not facts.may(CAP_SYS_RESOURCE)
    made = {
        Action.INSTALL: Step("Install Docker", _install, _is_installed),
        Action.BOUND_RUNC: Step("Bound runc to what this host grants", _bound_runc, lambda: wrapper_is(WRAPPER)),
        Action.CONFIGURE: Step("Make it Docker's default runtime", _configure, lambda: configured(DAEMON_JSON)),
        Action.START_UNIT: Step("Start Docker", _start_unit, runs),
        Action.START_DAEMON: Step(
            "Start Docker",
            lambda progress: _start_daemon(daemon_flags(bound=bound), progress),
            runs,
        ),
        Action.RELOAD: Step("Let Docker read its configuration", _reload, lambda: _default_runtime() == RUNTIME),
    }
    return [made[action] for action in plan(facts)] or [Step("Docker runs", _refuse, runs)]


def daemon_flags(*, bound: bool) -> list[str]:
    """Give dockerd's flags where no service manager starts it: defaults, but for what this host needs."""
    flags = [f"--pidfile={PID}"]
    if bound:
        flags += [f"--add-runtime={RUNTIME}={WRAPPER}", f"--default-runtime={RUNTIME}"]
    return flags


def runs() -> bool:
    """Tell whether an engine answers."""
    return probe(["docker", "version", "--format", "{{.Server.Version}}"]) is not None


def _default_runtime() -> str:
    return (probe(["docker", "info", "--format", "{{.DefaultRuntime}}"]) or "").strip()


def _refuse(progress: Progress) -> None:  # noqa: ARG001 - it is a step's run
    raise Failure("Docker ran a moment ago and does not answer now", "make doctor")


def _is_installed() -> bool:
    return shutil.which("dockerd", path=SYSTEM_PATH) is not None and not is_half_installed("docker.io")


def _install(progress: Progress) -> None:
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=120", "-y"]
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    command(["dpkg", "--configure", "-a"], progress=progress, env=env)  # an install that was interrupted
    command([*apt, "update"], progress=progress, env=env)
    command([*apt, "install", "--no-install-recommends", "docker.io", "iptables"], progress=progress, env=env)
    if shutil.which("docker") is None:  # newer distributions have the client in a package of its own
        command([*apt, "install", "--no-install-recommends", "docker-cli"], progress=progress, env=env)


def wrapper_text() -> str:
    """Give the wrapper as it is installed: our file, run by an interpreter that is there without this project."""
    system = Path("/usr/bin/python3")
    interpreter = system if system.exists() else Path(sys._base_executable).resolve()  # type: ignore[attr-defined] # noqa: SLF001
    return f"#!{interpreter} -IS\n{Path(runc_bounded.__file__).read_text(encoding='utf-8')}"


def wrapper_is(file: Path) -> bool:
    """Tell whether the wrapper is installed as it should be."""
    return file.is_file() and os.access(file, os.X_OK) and file.read_text(encoding="utf-8") == wrapper_text()


def _bound_runc(progress: Progress) -> None:
    progress.say("this host lacks CAP_SYS_RESOURCE: runc gets a wrapper that asks only for what can be had")
    progress.say(f"installed as {WRAPPER}")
    install_wrapper(WRAPPER)


def install_wrapper(file: Path) -> None:
    """Put the wrapper there at once: dockerd may be starting a container."""
    file.parent.mkdir(parents=True, exist_ok=True)
    making = file.with_suffix(".new")
    making.write_text(wrapper_text(), encoding="utf-8")
    making.chmod(0o755)
    making.replace(file)


def configured(file: Path) -> bool:
    """Tell whether Docker's configuration names the wrapper as its default runtime."""
    return _read_config(file).get("default-runtime") == RUNTIME


def with_runtime(config: Mapping[str, object]) -> dict[str, object]:
    """Add the wrapper to a Docker configuration as its default runtime; the rest of it stays."""
    runtimes = config.get("runtimes")
    known = runtimes if isinstance(runtimes, dict) else {}
    return {**config, "runtimes": {**known, RUNTIME: {"path": str(WRAPPER)}}, "default-runtime": RUNTIME}


def _read_config(file: Path) -> dict[str, object]:
    if not file.exists():
        return {}
    try:
        config = json.loads(file.read_text(encoding="utf-8") or "{}")
    except ValueError as wrong:
        raise Failure(f"{file} is not JSON: {wrong}", f"correct {file}, then run this again") from wrong
    return config if isinstance(config, dict) else {}


def _configure(progress: Progress) -> None:
    progress.say(f"added to {DAEMON_JSON}: runtime {RUNTIME}, as the default")
    DAEMON_JSON.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(with_runtime(_read_config(DAEMON_JSON)), indent=2)
    making = DAEMON_JSON.with_suffix(".new")
    making.write_text(text + "\n", encoding="utf-8")
    making.replace(DAEMON_JSON)


def _reload(progress: Progress) -> None:
    progress.say("running containers are left alone")
    pid = pid_in(PID, "dockerd")
    if pid is None:
        raise Failure(f"{PID} names no running dockerd", "restart Docker by hand, then run this again")
    os.kill(pid, signal.SIGHUP)
    await_true(lambda: _default_runtime() == RUNTIME, "Docker did not take its new configuration", f"read {LOG}")


def _start_unit(progress: Progress) -> None:
    command(["systemctl", "start", "docker"], progress=progress)
    await_true(runs, "Docker was started and does not answer", "systemctl status docker")


def _start_daemon(flags: Sequence[str], progress: Progress) -> None:
    for file, name in ((PID, "dockerd"), (CONTAINERD_PID, "containerd")):
        if pid_in(file, name) is None:  # left by a crash: the number may be another process's now
            file.unlink(missing_ok=True)
    dockerd = shutil.which("dockerd", path=SYSTEM_PATH) or "dockerd"
    progress.say(f"no service manager runs here: dockerd runs on its own, its log is {LOG}")
    path = os.environ.get("PATH", "")
    with LOG.open("ab") as log:
        log.write(f"\n{time.strftime('%F %T')} $ {dockerd} {' '.join(flags)}\n".encode())
        daemon = subprocess.Popen(
            [dockerd, *flags],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={**os.environ, "PATH": f"{path}:{SYSTEM_PATH}"},
            start_new_session=True,
        )

    def up() -> bool:
        if daemon.poll() is not None:
            lines = LOG.read_text(encoding="utf-8", errors="replace").splitlines()[-30:]
            raise Failure(f"dockerd ended: {telling_line(lines)}", f"read {LOG}")
        return runs()

    await_true(up, "dockerd was started and does not answer", f"read {LOG}")
    progress.say(f"dockerd {_version()} runs as process {daemon.pid}")


def _version() -> str:
    return (probe(["docker", "version", "--format", "{{.Server.Version}}"]) or "").strip()
