"""Bringing images from Docker into the node, and only those that it lacks.

What was loaded is remembered at the image in the node, by the id it has in Docker; the mark is set last, so an image
that is marked is there, unpacked, and safe from the kubelet's clean-up.
"""

import re
from collections.abc import Mapping, Sequence

from cluster.commands import Failure, Progress, command, probe
from cluster.host import NODE
from cluster.images.lock import parse_reference

_ID = "seatrial.dev/docker-id"
_PIN = "io.cri-containerd.pinned=pinned"
_CTR = ("docker", "exec", "--interactive", NODE, "ctr", "--namespace", "k8s.io", "images")
_PIPE = f'docker save "$@" | {" ".join(_CTR)} import --local -'


def load_images(names: Sequence[str], progress: Progress) -> list[str]:
    """Load those of the images that the node lacks, and return their names. Raises `Failure` if Docker lacks one."""
    ids = {name: _docker_id(name) for name in names}
    missing = _missing(ids)
    if missing:
        progress.say(f"into the node: {', '.join(missing)}")
        command(["bash", "-o", "pipefail", "-c", _PIPE, "bash", *missing], progress=progress)
        for name in missing:
            command([*_CTR, "label", node_name(name), f"{_ID}={ids[name]}", _PIN])
    return missing


def images_loaded(names: Sequence[str]) -> bool:
    """Tell whether the node has all these images as Docker has them."""
    ids = {name: probe(_inspect(name)) for name in names}
    return all(ids.values()) and not _missing({name: (found or "").strip() for name, found in ids.items()})


def node_name(name: str) -> str:
    """Give the name under which containerd knows one of Docker's images."""
    reference = parse_reference(name)
    return f"{reference.repository}:{reference.tag}"


def parse_marks(listing: str) -> Mapping[str, str]:
    """Read `ctr images ls`: the marked images and the id each was marked with."""
    rows = (line.split() for line in listing.splitlines()[1:])
    marks = ((row[0], re.search(rf"{re.escape(_ID)}=([^,\s]+)", row[-1])) for row in rows if row)
    return {name: mark[1] for name, mark in marks if mark}


def _missing(ids: Mapping[str, str]) -> list[str]:
    marks = parse_marks(probe([*_CTR, "ls"]) or "")
    return [name for name, wanted in ids.items() if marks.get(node_name(name)) != wanted]


def _inspect(name: str) -> list[str]:
    return ["docker", "image", "inspect", "--format", "{{.Id}}", name]


def _docker_id(name: str) -> str:
    found = probe(_inspect(name))
    if found is None:
        raise Failure(f"Docker has no image {name}", "build it first")
    return found.strip()
