"""Whether images are pulled or built, and why.

What is there decides first: a cluster keeps the kind of images it was made from. Where nothing is there, the engine is
told to begin pulling one image from each registry: whatever stands between it and a registry (mirrors, proxies,
credentials, no network at all) is then part of the answer.
"""

import subprocess
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum

from cluster.commands import Failure, probe
from cluster.host import NODE
from cluster.images.build import KEY_LABEL, Builder
from cluster.images.lock import parse_reference
from cluster.images.manifest import Manifest
from cluster.images.pull import is_pulled

PATIENCE = 6.0  # seconds a registry gets to answer


class Mode(Enum):
    """How images come to be on this machine."""

    PULL = "pull"
    BUILD = "build"


@dataclass(frozen=True)
class Decision:
    """A mode, and the reason for it in a few words."""

    mode: Mode
    reason: str


def decide(wanted: str, manifest: Manifest) -> Decision:
    """Choose the mode for `IMAGES=wanted`; asks registries, for a few seconds at most, when nothing else decides."""
    if wanted not in {"auto", "pull", "build"}:
        raise Failure(f"IMAGES={wanted} is not a choice", "use IMAGES=auto, IMAGES=pull or IMAGES=build")
    if wanted != "auto":
        return Decision(Mode(wanted), f"IMAGES={wanted} asks for it")
    return _from_what_is_there(manifest) or from_registries(first_of_each_registry(manifest))


def _from_what_is_there(manifest: Manifest) -> Decision | None:
    label = probe(["docker", "inspect", "--format", f'{{{{index .Config.Labels "{KEY_LABEL}"}}}}', NODE])
    if label is not None:
        built = bool(label.strip())
        return Decision(Mode.BUILD if built else Mode.PULL, f"the cluster was {'built' if built else 'pulled'}")
    if Builder(manifest).has_node():
        return Decision(Mode.BUILD, "the images built earlier are here")
    pulled = [(name, image.pull) for name, image in manifest.of_cluster.items() if image.pull]
    if all(is_pulled(name, reference) for name, reference in pulled):
        return Decision(Mode.PULL, "the images pulled earlier are here")
    return None


def first_of_each_registry(manifest: Manifest) -> dict[str, str]:
    """Pick one image to ask each registry for: the last listed, which is a small one."""
    references = [image.pull for image in manifest.of_cluster.values() if image.pull]
    return {parse_reference(reference).repository.split("/")[0]: reference for reference in references}


def from_registries(asked: dict[str, str], patience: float = PATIENCE) -> Decision:
    """Decide by asking each registry for an image, all at once."""
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = dict(
            zip(asked, pool.map(lambda reference: refusal(reference, patience), asked.values()), strict=True)
        )
    refused = {registry: why for registry, why in answers.items() if why}
    if refused:
        registry, why = next(iter(refused.items()))
        return Decision(Mode.BUILD, f"{registry} gives no image: {why}")
    return Decision(Mode.PULL, f"{' and '.join(asked)} answer")


def refusal(reference: str, patience: float) -> str:
    """Tell why an image can't be pulled; empty as soon as the engine begins to receive it."""
    argv = ["docker", "pull", reference]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as pull:
        timer = threading.Timer(patience, pull.kill)
        timer.start()
        try:
            began = bool(pull.stdout and pull.stdout.readline())
            if began:
                return ""
            pull.wait()
        finally:
            expired = not timer.is_alive()
            timer.cancel()
            pull.kill()
        if expired:
            return f"no answer within {patience:g} s"
        return _last_words(pull.stderr.read().decode(errors="replace").splitlines() if pull.stderr else [])


def _last_words(lines: Sequence[str]) -> str:
    spoken = [line.strip() for line in lines if line.strip()]
    return spoken[-1].removeprefix("Error response from daemon: ")[:160] if spoken else "it failed without a word"
