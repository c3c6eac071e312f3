"""The kind cluster: made, brought back, or made anew.

A cluster is whole when its node carries a mark that is set last. So one whose making was interrupted is never taken for
a cluster; one that was stopped (a reboot, a Docker that ended) is started again and only replaced when it doesn't come
back.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from cluster.cache import cache_root
from cluster.commands import Failure, Progress, await_true, command, probe
from cluster.host import CAP_SYS_RESOURCE, CLUSTER, NODE, WHOLE, Facts
from cluster.images import GoTools, Mode, drop_old_nodes, images_loaded, load_images, load_manifest, pulled_preloads
from cluster.kubectl import ask, kubectl
from cluster.metrics import begin_metrics
from cluster.staleness import remembered
from cluster.steps import Step

CONFIG = Path(__file__).parent.parent / "kind-config.yaml"

_READY_WITHIN = 180.0

_CGROUP_V1 = {
    "kind": "KubeletConfiguration",
    "failCgroupV1": False,
    "cgroupDriver": "cgroupfs",
    "cgroupRoot": "/",
    "localStorageCapacityIsolation": False,
}
_SMALL_REQUESTS = {"kind": "InitConfiguration", "patches": {"directory": "/kind/patches"}}  # only built nodes have them
_CRI = 'plugins."io.containerd.grpc.v1.cri"'
_CGROUPFS = f"[{_CRI}.containerd.runtimes.runc.options]\n  SystemdCgroup = false\n"
_NO_NEGATIVE_OOM_SCORES = f"[{_CRI}]\n  restrict_oom_score_adj = true\n"


def kind_steps(facts: Facts, mode: Mode) -> list[Step]:
    """Give the steps that end with a ready node that has every image."""
    steps = [Step("Kubernetes cluster", lambda progress: _bring_up(facts, mode, progress), serves)]
    if mode is Mode.PULL:
        names = pulled_preloads(load_manifest())
        loading = Step(
            "Pulled images into the node", lambda progress: _load(names, progress), lambda: images_loaded(names)
        )
        steps.append(loading)
    return steps


def render_config(config: Mapping[str, Any], facts: Facts, mode: Mode) -> dict[str, Any]:
    """Add to kind's configuration what this host and these images need; nothing where they need nothing."""
    rendered = dict(config)
    kubeadm, containerd = [], []
    if mode is Mode.BUILD:
        rendered["networking"] = {**config["networking"], "disableDefaultCNI": True}
        kubeadm.append(yaml.safe_dump(_SMALL_REQUESTS))
    if _cgroup(facts) == 1:
        kubeadm.append(yaml.safe_dump(_CGROUP_V1))
        containerd.append(_CGROUPFS)
    if not _may_lower_oom_scores(facts):
        containerd.append(_NO_NEGATIVE_OOM_SCORES)
    if kubeadm:
        rendered["kubeadmConfigPatches"] = [*config["kubeadmConfigPatches"], *kubeadm]
    if containerd:
        rendered["containerdConfigPatches"] = containerd
    return rendered


def serves() -> bool:
    """Tell whether the whole cluster is there, and its node Ready by more than what it was before a stop."""
    return _is_whole() and _is_ready() and not remembered()


def delete_cluster(progress: Progress) -> None:
    """Remove the cluster and what kubectl knows of it, and nothing else."""
    command([_kind(), "delete", "cluster", "--name", CLUSTER], progress=progress)
    drop_old_nodes()


def _cgroup(facts: Facts) -> int:
    return facts.engine.cgroup if facts.engine else facts.cgroup or 2


def _may_lower_oom_scores(facts: Facts) -> bool:
    capabilities = facts.engine.capabilities if facts.engine else facts.capabilities
    return capabilities is None or bool(capabilities >> CAP_SYS_RESOURCE & 1)


def _bring_up(facts: Facts, mode: Mode, progress: Progress) -> None:
    if _old_one_serves(progress):
        return
    config = cache_root() / "kind-config.yaml"
    base = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    config.write_text(yaml.safe_dump(render_config(base, facts, mode), sort_keys=False), encoding="utf-8")
    create: list[str | Path] = [_kind(), "create", "cluster", "--config", config, "--retain"]
    try:
        command(create, progress=progress)
    except Failure as failure:
        if "already" not in failure.cause:
            raise
        # Docker goes on making a container whose client was interrupted, and shows it only when it is made.
        progress.say("a node that an interrupted run began has come up meanwhile")
        await_true(lambda: _state() is not None, failure.cause, failure.remedy)
        if _old_one_serves(progress):
            return
        command(create, progress=progress)
    _await_ready()
    _await_proxy()
    kubectl("--namespace=kube-system", "scale", "deployment/coredns", "--replicas=1")
    begin_metrics()
    command(["docker", "exec", NODE, "touch", WHOLE])


def _old_one_serves(progress: Progress) -> bool:
    """Bring back the cluster that is there; one that can't be is removed."""
    state = _state()
    if state is None:
        return False
    if _bring_back(state, progress):
        return True
    delete_cluster(progress)
    return False


def _bring_back(state: str, progress: Progress) -> bool:
    """Start what is there again; False when it never was whole or doesn't come back."""
    progress.say(f"the node is there and {state}")
    if state not in ("running", "created"):
        command(["docker", "start", NODE], progress=progress)
    if state == "created" or not _is_whole():
        progress.say("its making was interrupted: it is made anew")
        return False
    command([_kind(), "export", "kubeconfig", "--name", CLUSTER], progress=progress)
    try:
        _await_ready()
    except Failure as failure:
        progress.say(f"it does not come back ({failure.cause}): it is made anew")
        return False
    cause, remedy = (
        "the cluster's own pods and controllers did not start again",
        "kubectl get pods -A; or make cluster-down cluster-up",
    )
    await_true(lambda: not remembered(), cause, remedy, within=_READY_WITHIN)
    _await_proxy()
    return True


def _state() -> str | None:
    """Tell the state of the node's container as Docker calls it; None where there is none."""
    answer = probe(["docker", "inspect", "--format", "{{.State.Status}}", NODE])
    return answer.strip() if answer else None


def _is_whole() -> bool:
    return probe(["docker", "exec", NODE, "test", "-e", WHOLE]) is not None


def _is_ready() -> bool:
    answer = ask("get", "node", NODE, "--output=json")
    if answer is None:
        return False
    conditions = json.loads(answer)["status"].get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _await_ready() -> None:
    await_true(_is_ready, "the node was not Ready", f"docker logs {NODE}", within=_READY_WITHIN)


def _await_proxy() -> None:
    """Wait until services can be reached."""
    kubectl("--namespace=kube-system", "rollout", "status", "daemonset/kube-proxy", "--timeout=120s")


def _load(names: Sequence[str], progress: Progress) -> None:
    load_images(names, progress)


def _kind() -> Path:
    return GoTools(load_manifest()).binary("kind")
