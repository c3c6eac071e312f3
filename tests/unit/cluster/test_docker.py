"""Every kind of host, as facts that were recorded on one, and what is to be done about Docker there."""

import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cluster import docker
from cluster.commands import Failure
from cluster.docker import Action, daemon_flags, plan, with_runtime
from cluster.host import CAP_SYS_RESOURCE, Engine, Facts

NO_ANSWER = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
REFUSED = (
    "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: "
    'Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.50/info": dial unix /var/run/docker.sock: connect: permission denied'
)
ALL = (1 << 41) - 1
WITHOUT_SYS_RESOURCE = ALL & ~(1 << CAP_SYS_RESOURCE)
UNPRIVILEGED_CONTAINER = 0xA80425FB
CLI = "/usr/bin/docker"

RUNNING = Facts(
    user="ann",
    root=False,
    docker_cli=CLI,
    dockerd="/usr/bin/dockerd",
    docker_unit=True,
    engine=Engine("29.1.3", Path("/var/lib/docker"), cgroup=2, capabilities=ALL),
)
STOPPED = Facts(docker_cli=CLI, dockerd="/usr/sbin/dockerd", docker_unit=True, engine_error=NO_ANSWER)
STOPPED_WITHOUT_SYSTEMD = replace(STOPPED, systemd=False, docker_unit=False)
CLIENT_ONLY = replace(STOPPED_WITHOUT_SYSTEMD, docker_cli="/usr/local/bin/docker", dockerd=None)
FRESH_DEBIAN = Facts(systemd=False)
FRESH_UBUNTU = Facts(os_name="Ubuntu 24.04.3 LTS", os_family=frozenset({"ubuntu", "debian"}))
FEDORA = Facts(os_name="Fedora Linux 43", os_family=frozenset({"fedora"}), apt=False)


def refusal(facts: Facts) -> Failure:
    with pytest.raises(Failure) as refused:
        plan(facts)
    assert refused.value.remedy
    return refused.value


def test_nothing_is_done_where_docker_runs() -> None:
    assert plan(RUNNING) == ()


def test_the_service_is_started_where_systemd_runs() -> None:
    assert plan(STOPPED) == (Action.START_UNIT,)


def test_dockerd_is_started_on_its_own_where_no_service_manager_runs() -> None:
    assert plan(STOPPED_WITHOUT_SYSTEMD) == (Action.START_DAEMON,)


def test_dockerd_without_a_service_file_is_started_on_its_own_under_systemd_too() -> None:
    assert plan(replace(STOPPED, docker_unit=False)) == (Action.START_DAEMON,)


def test_a_client_without_an_engine_is_no_docker() -> None:
    assert plan(CLIENT_ONLY) == (Action.INSTALL, Action.START_DAEMON)


def test_docker_is_installed_by_root_on_debian_and_ubuntu() -> None:
    assert plan(FRESH_DEBIAN) == (Action.INSTALL, Action.START_DAEMON)
    assert plan(replace(FRESH_UBUNTU, docker_unit=False))[0] is Action.INSTALL


def test_an_install_that_was_interrupted_is_finished_first() -> None:
    assert plan(replace(STOPPED_WITHOUT_SYSTEMD, docker_half_installed=True)) == (Action.INSTALL, Action.START_DAEMON)


def test_other_distributions_are_told_to_install_it_themselves() -> None:
    assert "Fedora Linux 43" in refusal(FEDORA).cause


def test_somebody_else_than_root_is_told_what_to_type() -> None:
    assert refusal(replace(FRESH_DEBIAN, root=False)).remedy.startswith("sudo apt-get install -y docker.io")
    assert refusal(replace(STOPPED, root=False)).remedy == "sudo systemctl start docker"
    assert refusal(replace(STOPPED_WITHOUT_SYSTEMD, root=False)).remedy == "sudo make cluster-up"


def test_who_may_not_use_the_socket_is_told_how_to_join_the_group() -> None:
    refused = refusal(Facts(user="ann", root=False, docker_cli=CLI, dockerd=CLI, engine_error=REFUSED))
    assert refused.cause == "ann may not use the Docker socket"
    assert "usermod -aG docker ann" in refused.remedy


def test_an_engine_elsewhere_that_does_not_answer_is_not_replaced_by_one_here() -> None:
    assert "unset DOCKER_HOST" in refusal(replace(STOPPED, docker_host="tcp://10.0.0.7:2376")).remedy


def test_podman_is_not_taken_for_docker() -> None:
    assert "Podman" in refusal(replace(RUNNING, podman=True)).cause


def test_a_mac_without_docker_is_told_to_start_it() -> None:
    assert "Docker Desktop" in refusal(Facts(system="Darwin", docker_cli=CLI, engine_error=NO_ANSWER)).remedy


def test_root_in_an_unprivileged_container_is_told_that_docker_cannot_run_there() -> None:
    assert "--privileged" in refusal(replace(FRESH_DEBIAN, capabilities=UNPRIVILEGED_CONTAINER)).remedy


def test_a_host_without_cgroups_is_told_so_before_anything_is_installed() -> None:
    assert "cgroups" in refusal(replace(FRESH_DEBIAN, cgroup=None)).cause


@pytest.mark.parametrize("facts", [STOPPED_WITHOUT_SYSTEMD, CLIENT_ONLY, FRESH_DEBIAN])
def test_a_host_without_cap_sys_resource_gets_a_bounded_runc_before_dockerd_starts(facts: Facts) -> None:
    actions = plan(replace(facts, capabilities=WITHOUT_SYS_RESOURCE))
    assert actions[-2:] == (Action.BOUND_RUNC, Action.START_DAEMON)


def test_under_systemd_the_bounded_runc_is_written_to_dockers_configuration() -> None:
    assert plan(replace(STOPPED, capabilities=WITHOUT_SYS_RESOURCE)) == (
        Action.BOUND_RUNC,
        Action.CONFIGURE,
        Action.START_UNIT,
    )


def test_a_running_docker_that_lacks_the_capability_reloads_its_configuration_once() -> None:
    engine = Engine("20.10.24", Path("/var/lib/docker"), cgroup=1, capabilities=WITHOUT_SYS_RESOURCE)
    facts = replace(RUNNING, root=True, engine=engine)
    assert plan(facts) == (Action.BOUND_RUNC, Action.CONFIGURE, Action.RELOAD)
    assert plan(replace(facts, engine=replace(engine, runtime=docker.RUNTIME))) == ()
    assert "root" in refusal(replace(facts, root=False)).remedy


def test_a_host_with_all_capabilities_never_sees_the_bounded_runc() -> None:
    for facts in (RUNNING, STOPPED, STOPPED_WITHOUT_SYSTEMD, CLIENT_ONLY, FRESH_DEBIAN, FRESH_UBUNTU):
        assert Action.BOUND_RUNC not in plan(facts)
    assert not any("runtime" in flag for flag in daemon_flags(bound=False))
    assert "--default-runtime=runc-bounded" in daemon_flags(bound=True)


def test_dockers_configuration_keeps_what_it_had() -> None:
    before = {"log-driver": "local", "runtimes": {"nvidia": {"path": "nvidia-container-runtime"}}}
    after = with_runtime(before)
    assert after["log-driver"] == "local"
    assert set(after["runtimes"]) == {"nvidia", docker.RUNTIME}  # type: ignore[call-overload]
    assert after["default-runtime"] == docker.RUNTIME


def test_a_configuration_that_is_no_json_is_left_alone_and_named(tmp_path: Path) -> None:
    file = tmp_path / "daemon.json"
    file.write_text("{,}")
    with pytest.raises(Failure, match="is not JSON"):
        docker.configured(file)
    assert file.read_text() == "{,}"


def test_the_bounded_runc_is_installed_whole_and_runs_without_this_project(tmp_path: Path) -> None:
    wrapper = tmp_path / "bin" / "runc-bounded"
    docker.install_wrapper(wrapper)
    assert docker.wrapper_is(wrapper)
    assert stat.S_IMODE(wrapper.stat().st_mode) == 0o755

    runc = tmp_path / "runc"
    runc.write_text(f'#!{sys.executable} -IS\nimport sys; print("runc", *sys.argv[1:])\n')
    runc.chmod(0o755)
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    asked = {"process": {"oomScoreAdj": -999, "capabilities": {"bounding": ["CAP_CHOWN"]}}, "root": {"path": "rootfs"}}
    (bundle / "config.json").write_text(json.dumps(asked))
    arguments = ["--root", "/run/x", "create", "--bundle", str(bundle), "id"]
    ran = subprocess.run(
        [wrapper, *arguments], env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert ran.stdout == f"runc {' '.join(arguments)}\n"
    assert json.loads((bundle / "config.json").read_text())["root"] == {"path": "rootfs"}
