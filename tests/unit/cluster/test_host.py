import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from cluster.host import api_answers, bounding_set, cgroup_version, parse_engine, parse_nodes, pid_in, read_facts
from cluster.ports import listener_on, listening_inodes

NO_ANSWER = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"


def test_this_machine_can_be_read() -> None:
    facts = read_facts()
    assert facts.memory > 0
    assert facts.cpus > 0
    assert dict(facts.tools)["python"].startswith("Python 3.")


def test_an_engine_is_read_from_docker_info() -> None:
    answer = {
        "ServerVersion": "29.1.3",
        "DockerRootDir": "/srv/docker",
        "CgroupVersion": "2",
        "DefaultRuntime": "runc",
        "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"],
        "ClientInfo": {"Plugins": [{"Name": "buildx"}, {"Name": "compose"}]},
    }
    engine, error = parse_engine(json.dumps(answer), "", 7)
    assert engine is not None
    assert (engine.version, engine.root, engine.cgroup) == ("29.1.3", Path("/srv/docker"), 2)
    assert (engine.rootless, engine.buildx, engine.capabilities, error) == (True, True, 7, "")


def test_an_engine_of_2020_names_fewer_things() -> None:
    answer = {"ServerVersion": "20.10.24+dfsg1", "DockerRootDir": "/var/lib/docker", "CgroupVersion": "1"}
    engine, _ = parse_engine(json.dumps(answer), "", None)
    assert engine is not None
    assert (engine.cgroup, engine.runtime, engine.rootless, engine.buildx) == (1, "runc", False, False)


def test_a_client_that_finds_no_engine_says_why_inside_its_answer_or_beside_it() -> None:
    inside = json.dumps({"ServerErrors": [NO_ANSWER], "ClientInfo": {"Version": "28.2.2"}})
    assert parse_engine(inside, "", None) == (None, NO_ANSWER)
    assert parse_engine("", f"{NO_ANSWER}\n", None) == (None, NO_ANSWER)
    assert parse_engine("no json", NO_ANSWER, None) == (None, NO_ANSWER)


def test_a_kind_node_is_read_from_docker_inspect() -> None:
    container = {
        "Name": "/seatrial-control-plane",
        "State": {"Status": "exited", "Pid": 0},
        "HostConfig": {
            "PortBindings": {
                "30080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
                "6443/tcp": [{"HostIp": "127.0.0.1", "HostPort": "41234"}],
            }
        },
    }
    (node,) = parse_nodes(json.dumps([container]), whole=False, answers=True, uptime=100.0)
    assert (node.name, node.state, node.ports, node.answers) == (
        "seatrial-control-plane",
        "exited",
        (8080, 41234),
        False,
    )


@pytest.mark.parametrize(("misses", "answers"), [(0, True), (2, True), (3, False)])
def test_an_api_that_misses_a_look_answers_all_the_same(
    misses: int, *, answers: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubectl = tmp_path / "kubectl"
    looks = tmp_path / "looks"
    kubectl.write_text(f"#!/bin/sh\necho >> {looks}; [ $(wc -l < {looks}) -gt {misses} ] && echo ok\n")
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert api_answers() is answers


def test_cgroups_are_version_2_only_where_nothing_of_version_1_is_mounted() -> None:
    assert cgroup_version([("/sys/fs/cgroup", "cgroup2"), ("/", "ext4")]) == 2
    assert cgroup_version([("/sys/fs/cgroup/memory", "cgroup"), ("/sys/fs/cgroup/unified", "cgroup2")]) == 1
    assert cgroup_version([("/", "overlay"), ("/proc", "proc")]) is None


def test_a_process_that_is_gone_has_no_bounding_set() -> None:
    assert bounding_set("self") is not None
    assert bounding_set("") is None


def test_a_pid_file_is_believed_only_while_its_process_is_that_program(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    assert pid_in(file, "dockerd") is None
    file.write_text("1")
    assert pid_in(file, "dockerd") is None
    mine = Path("/proc/self/comm").read_text().strip()
    file.write_text(Path("/proc/self").resolve().name)
    assert pid_in(file, mine) == int(file.read_text())
    file.write_text("not a number")
    assert pid_in(file, mine) is None


def test_a_process_that_ended_and_was_not_waited_for_is_gone(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "0"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        file = tmp_path / "pid"
        file.write_text(str(process.pid))
        assert pid_in(file, "sleep") is None


def test_who_listens_on_a_port_is_found_by_its_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        listener = listener_on(port)
        assert listener is not None
        assert listener.pid == int(Path("/proc/self").resolve().name)
        assert listener.program.startswith("python") or listener.program == "pytest"
    assert listener_on(port) is None


def test_only_listening_sockets_of_just_that_port_count() -> None:
    table = [
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
        "0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0",
        "1: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 22 1 0 100 0 0 10 0",
        "2: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 33 1 0 20 4 30 10 -1",
    ]
    assert listening_inodes(table, 8080) == {"11"}
