import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from cluster.commands import Failure
from cluster.doctor import BUILT, PULLED, Finding, Level, examine, preflight, report
from cluster.host import Engine, Facts, Node
from cluster.ports import Listener

GOOD = Facts(
    docker_cli="/usr/bin/docker",
    dockerd="/usr/bin/dockerd",
    engine=Engine("29.1.3", Path("/var/lib/docker"), cgroup=2),
    tools=(("docker", "Docker version 29.1.3"), ("kind", "kind v0.31.0")),
)
OURS = Node("seatrial-control-plane", "running", ports=(8080, 41234), whole=True, answers=True, age=3600)


def find(facts: Facts, check: str) -> Finding:
    return next(finding for finding in examine(facts, BUILT) if finding.check == check)


def test_a_good_machine_has_nothing_wrong() -> None:
    assert {finding.level for finding in examine(GOOD, BUILT)} == {Level.GOOD}
    preflight(examine(GOOD, BUILT))


def test_a_port_that_is_taken_names_who_took_it() -> None:
    finding = find(replace(GOOD, listener=Listener(4711, "nginx")), "Port 8080")
    assert (finding.level, finding.found) == (Level.BLOCKS, "taken by nginx (process 4711)")
    assert "kill 4711" in finding.remedy


def test_a_port_taken_by_another_user_says_how_to_see_who_it_is() -> None:
    finding = find(replace(GOOD, listener=Listener(None, "")), "Port 8080")
    assert finding.level is Level.BLOCKS
    assert finding.remedy.startswith("sudo ss")


def test_the_gateway_of_the_running_cluster_does_not_stand_in_its_own_way() -> None:
    assert find(replace(GOOD, listener=Listener(9, "docker-proxy"), nodes=(OURS,)), "Port 8080").level is Level.GOOD


def test_a_stopped_cluster_does_not_excuse_somebody_else_on_the_port() -> None:
    stopped = replace(OURS, state="exited", answers=False)
    assert find(replace(GOOD, listener=Listener(9, "nginx"), nodes=(stopped,)), "Port 8080").level is Level.BLOCKS


@pytest.mark.parametrize("state", ["exited", "created"])
def test_a_cluster_that_is_stopped_is_brought_back(state: str) -> None:
    finding = find(replace(GOOD, nodes=(replace(OURS, state=state, answers=False),)), "Cluster")
    assert (finding.level, finding.remedy) == (Level.ADVICE, "make cluster-up")


def test_a_cluster_whose_making_was_interrupted_is_not_taken_for_a_broken_one() -> None:
    half = replace(OURS, whole=False, answers=False)
    assert find(replace(GOOD, nodes=(half,)), "Cluster").level is Level.ADVICE


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (replace(OURS, answers=False, age=600), "has not answered for 600 s"),
        (replace(OURS, state="dead", answers=False), "is dead"),
        (replace(OURS, state="paused", answers=False), "is paused"),
        (replace(OURS, ports=(41234,)), "not ours"),
        (replace(OURS, name="seatrial-control-plane2"), "other nodes than ours"),
    ],
)
def test_a_broken_or_foreign_cluster_of_our_name_blocks_and_says_how_to_remove_it(node: Node, words: str) -> None:
    finding = find(replace(GOOD, nodes=(node,)), "Cluster")
    assert finding.level is Level.BLOCKS
    assert words in finding.found
    assert "make cluster-down" in finding.remedy


def test_a_cluster_that_has_just_been_started_gets_time_to_answer() -> None:
    assert find(replace(GOOD, nodes=(replace(OURS, answers=False, age=20),)), "Cluster").level is Level.ADVICE


def test_too_little_memory_blocks_unless_the_cluster_runs_in_it_already() -> None:
    small = replace(GOOD, memory=4 << 30, memory_available=1 << 30)
    finding = find(small, "Memory")
    assert finding.level is Level.BLOCKS
    assert finding.found == "1.0 GiB of 4.0 GiB available, 5.0 GiB are needed"
    assert find(replace(small, nodes=(OURS,)), "Memory").level is Level.GOOD


def test_pulling_needs_less_of_everything_than_building() -> None:
    assert PULLED.memory < BUILT.memory
    assert PULLED.docker_disk + PULLED.cache_disk < BUILT.docker_disk + BUILT.cache_disk


def test_one_disk_must_hold_both_docker_and_the_cache_and_two_each_their_own() -> None:
    free = max(BUILT.docker_disk, BUILT.cache_disk)
    tight = replace(GOOD, docker_disk_free=free, cache_disk_free=free)
    assert find(tight, "Disk").level is Level.BLOCKS
    assert find(replace(tight, one_disk=False), "Disk").level is Level.GOOD
    assert find(replace(tight, one_disk=False, cache_disk_free=1 << 30), "Disk").level is Level.BLOCKS


def test_low_inotify_limits_are_raised_by_root_and_told_to_others() -> None:
    low = replace(GOOD, inotify_instances=128)
    assert find(low, "Inotify").remedy == "make cluster-up"
    assert find(replace(low, root=False), "Inotify").remedy.startswith("sudo sysctl fs.inotify.max_user_instances=")


def test_rootless_docker_needs_cgroup_v2() -> None:
    engine = Engine("29.1.3", Path("/home/ann/docker"), cgroup=1, rootless=True)
    assert find(replace(GOOD, engine=engine), "Cgroups").level is Level.BLOCKS


def test_cgroup_v1_and_a_missing_capability_are_served_and_said() -> None:
    engine = Engine("20.10.24", Path("/var/lib/docker"), cgroup=1, runtime="runc-bounded", capabilities=0x1FFFEFFFFFF)
    facts = replace(GOOD, engine=engine)
    assert find(facts, "Cgroups").found == "version 1, served by older settings"
    assert "no CAP_SYS_RESOURCE" in find(facts, "Privileges").found


def test_tools_that_are_not_there_yet_are_named() -> None:
    finding = find(replace(GOOD, tools=(("docker", "Docker version 29"), ("helm", ""), ("kind", ""))), "Tools")
    assert finding.level is Level.ADVICE
    assert "not yet there: helm, kind" in finding.found


def test_preflight_stops_at_what_blocks_and_counts_the_rest() -> None:
    bad = replace(GOOD, memory_available=0, listener=Listener(4711, "nginx"))
    with pytest.raises(Failure) as stopped:
        preflight(examine(bad, BUILT))
    assert stopped.value.cause == "taken by nginx (process 4711) (and 1 more: make doctor)"
    assert stopped.value.step == "Check the machine: Port 8080"


def test_the_report_shows_each_finding_and_what_to_type() -> None:
    console = Console(file=io.StringIO(), width=140)
    report(examine(replace(GOOD, listener=Listener(4711, "nginx")), BUILT), console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "✘" in text
    assert "kill 4711" in text
    assert text.count("✔") == 9
