"""Pulling the images of the cluster: by tag once, by the locked digest ever after."""

import json
from collections.abc import Sequence
from pathlib import Path

from cluster.commands import Failure, Progress, command, probe
from cluster.images.gotools import GoTools
from cluster.images.lock import LOCK, digest_among, lock_digest, parse_reference, read_lock
from cluster.images.manifest import Image, Manifest
from cluster.steps import Step


def pull_steps(manifest: Manifest) -> list[Step]:
    """Give the steps that bring every image a cluster pulls into Docker, and compile what people run."""
    pulled = {name: image for name, image in manifest.of_cluster.items() if image.pull}
    tools = GoTools(manifest)
    return [
        *(_pull_step(name, image) for name, image in pulled.items()),
        Step(
            "Client programs",
            lambda progress: tools.build(tools.client, progress),
            lambda: tools.built(tools.client),
        ),
    ]


def pull_shop_steps(manifest: Manifest) -> list[Step]:
    """Give the steps that bring the images of the shop's data services into Docker."""
    return [_pull_step(name, manifest.images[name]) for name in manifest.names("shop")]


def _pull_step(name: str, image: Image) -> Step:
    reference = image.pull or name
    return Step(
        f"Pull {reference}",
        lambda progress: pull(name, reference, progress),
        lambda: is_pulled(name, reference),
    )


def is_pulled(name: str, reference: str, lock: Path = LOCK) -> bool:
    """Tell whether `name` is, in Docker, the image that is locked for the reference."""
    digest = read_lock(lock).get(reference)
    if digest is None:
        return False
    wanted = _image_id(parse_reference(reference).at(digest))
    return wanted is not None and wanted == _image_id(name)


def pull(name: str, reference: str, progress: Progress, lock: Path = LOCK) -> None:
    """Pull an image and call it `name`; its digest is locked when it wasn't. Raises `Failure` as `docker pull` does."""
    parsed = parse_reference(reference)
    digest = read_lock(lock).get(reference)
    if digest is None:
        command(["docker", "pull", reference], progress=progress)
        digest = digest_among(_repo_digests(reference), parsed)
        if digest is None:
            raise Failure(f"the registry gave no digest for {reference}", "use another registry, or IMAGES=build")
        lock_digest(reference, digest, lock)
        progress.say(f"locked {reference} at {digest}")
    else:
        try:
            command(["docker", "pull", parsed.at(digest)], progress=progress)
        except Failure as failure:
            remedy = f"if that image is gone for good, delete its line in {lock}; else run this again"
            raise Failure(failure.cause, remedy) from failure
    command(["docker", "tag", parsed.at(digest), name], progress=progress)


def pulled_preloads(manifest: Manifest) -> Sequence[str]:
    """List the images that a pulled node doesn't bring, and that have to be loaded into it."""
    return [name for name in manifest.names("preload") if manifest.images[name].pull]


def _image_id(name: str) -> str | None:
    return probe(["docker", "image", "inspect", "--format", "{{.Id}}", name])


def _repo_digests(name: str) -> list[str]:
    answer = command(["docker", "image", "inspect", "--format", "{{json .RepoDigests}}", name])
    return list(json.loads(answer) or [])
