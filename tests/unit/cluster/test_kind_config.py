import ipaddress
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.host import CAP_SYS_RESOURCE, Engine, Facts
from cluster.images import Mode
from cluster.kind import CONFIG, render_config

BASE: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
ALL = (1 << 41) - 1
ENGINE = Engine(version="28.0", root=Path("/var/lib/docker"), cgroup=2, capabilities=ALL)
FACTS = Facts(engine=ENGINE)
BOUNDED = ALL & ~(1 << CAP_SYS_RESOURCE)


def kubeadm(config: dict[str, Any], kind: str) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for patch in map(yaml.safe_load, config["kubeadmConfigPatches"]):
        merged |= patch if patch["kind"] == kind else {}
    return merged


def test_an_ordinary_host_that_pulls_gets_the_file_as_it_is() -> None:
    assert render_config(BASE, FACTS, Mode.PULL) == BASE


@pytest.mark.parametrize("mode", list(Mode))
def test_cgroup_version_1_is_served_and_version_2_untouched(mode: Mode) -> None:
    old = render_config(BASE, replace(FACTS, engine=replace(ENGINE, cgroup=1)), mode)
    assert kubeadm(old, "KubeletConfiguration")["failCgroupV1"] is False
    assert "SystemdCgroup = false" in "".join(old["containerdConfigPatches"])
    new = render_config(BASE, FACTS, mode)
    assert "failCgroupV1" not in kubeadm(new, "KubeletConfiguration")
    assert "containerdConfigPatches" not in new


def test_a_host_without_the_capability_lowers_no_oom_scores() -> None:
    bounded = render_config(BASE, replace(FACTS, engine=replace(ENGINE, capabilities=BOUNDED)), Mode.PULL)
    assert "restrict_oom_score_adj = true" in "".join(bounded["containerdConfigPatches"])


def test_an_engine_elsewhere_is_taken_to_have_every_capability() -> None:
    far = replace(FACTS, capabilities=BOUNDED, engine=replace(ENGINE, capabilities=None))
    assert render_config(BASE, far, Mode.PULL) == BASE


def test_a_built_node_brings_its_own_network() -> None:
    built = render_config(BASE, FACTS, Mode.BUILD)
    assert built["networking"]["disableDefaultCNI"] is True
    assert built["networking"]["podSubnet"] == BASE["networking"]["podSubnet"]
    assert kubeadm(built, "InitConfiguration")["patches"]["directory"] == "/kind/patches"


def test_patches_of_the_file_stay_with_those_of_the_host() -> None:
    built = render_config(BASE, replace(FACTS, engine=replace(ENGINE, cgroup=1)), Mode.BUILD)
    assert kubeadm(built, "KubeletConfiguration")["maxPods"] == 500
    assert built["kubeadmConfigPatches"][: len(BASE["kubeadmConfigPatches"])] == BASE["kubeadmConfigPatches"]


def test_the_nodes_addresses_are_enough_for_its_pods_and_those_the_bridge_gives() -> None:
    arguments = kubeadm(BASE, "ClusterConfiguration")["controllerManager"]["extraArgs"]
    mask = next(int(argument["value"]) for argument in arguments if argument["name"] == "node-cidr-mask-size")
    first = next(ipaddress.IPv4Network(BASE["networking"]["podSubnet"]).subnets(new_prefix=mask))
    assert first.num_addresses - 3 >= kubeadm(BASE, "KubeletConfiguration")["maxPods"]
    bridge = json.loads((CONFIG.parent / "cluster/images/node/10-bridge.conflist").read_text(encoding="utf-8"))
    assert bridge["plugins"][0]["ipam"]["ranges"] == [[{"subnet": str(first)}]]


def test_calls_to_unknown_services_are_refused_for_all_service_addresses() -> None:
    unit = (CONFIG.parent / "cluster/images/node/refuse-early.service").read_text(encoding="utf-8")
    assert unit.count(f"--destination {BASE['networking']['serviceSubnet']} ") == 2


def test_everything_is_published_on_loopback_only() -> None:
    assert BASE["networking"]["apiServerAddress"] == "127.0.0.1"
    for node in BASE["nodes"]:
        assert {mapping["listenAddress"] for mapping in node["extraPortMappings"]} == {"127.0.0.1"}
