"""Volumes on the node's disk, for what the shop's data services keep.

The default StorageClass of a built node is the controller manager's own: it makes folders in a tmpfs, owned by root.
They take memory, a restart of the node empties them, and no pod of Pod Security's level restricted can write there. So
these are made here, of type local: the kubelet gives them to the group of the pod that mounts them.
"""

import json
from collections.abc import Mapping
from typing import Any

from cluster.commands import Progress, command, probe
from cluster.host import NODE
from cluster.kubectl import ask, kubectl
from cluster.steps import Step

STORAGE_CLASS = "node-disk"

_FOLDER = "/var/lib/seatrial/volumes"  # /var is a volume of the node's container: it outlives a restart
_CLASS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": STORAGE_CLASS},
    "provisioner": "kubernetes.io/no-provisioner",
    "volumeBindingMode": "WaitForFirstConsumer",
}


def volumes_step(namespace: str, claims: Mapping[str, str]) -> Step:
    """Give the step after which each claim (name -> size) of a namespace finds a volume made for it."""
    return Step(
        f"Volumes on the node's disk for {namespace}",
        lambda progress: _make(namespace, claims, progress),
        lambda: all(_usable(ask("get", "pv", volume_name(namespace, claim), "--output=json")) for claim in claims),
    )


def volume_name(namespace: str, claim: str) -> str:
    """Name the volume, and its folder, of a claim."""
    return f"{namespace}-{claim}"


def _make(namespace: str, claims: Mapping[str, str], progress: Progress) -> None:
    kubectl("apply", "--server-side", "--filename=-", given=json.dumps(_CLASS))
    for claim, size in claims.items():
        name = volume_name(namespace, claim)
        left = ask("get", "pv", name, "--output=json")
        if left and not _usable(left):
            progress.say(f"{name}: its claim is gone, so its data is removed")
            kubectl("delete", "pv", name)
            command(["docker", "exec", NODE, "rm", "-rf", f"{_FOLDER}/{name}"])
        command(["docker", "exec", NODE, "mkdir", "-p", f"{_FOLDER}/{name}"])
        kubectl("apply", "--server-side", "--filename=-", given=json.dumps(_volume(namespace, claim, size)))


def _usable(volume: str | None) -> bool:
    """Tell whether a volume can be claimed or is: one that lost its claim is never given to another."""
    if volume is None:
        return False
    if json.loads(volume)["status"].get("phase") not in ("Available", "Bound", "Pending"):
        return False
    return probe(["docker", "exec", NODE, "test", "-d", json.loads(volume)["spec"]["local"]["path"]]) is not None


def _volume(namespace: str, claim: str, size: str) -> dict[str, Any]:
    name = volume_name(namespace, claim)
    on_the_node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": STORAGE_CLASS,
            "claimRef": {"namespace": namespace, "name": claim},
            "local": {"path": f"{_FOLDER}/{name}"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on_the_node]}]}},
        },
    }
