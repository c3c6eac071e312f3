"""The images of the cluster: listed once, pulled or built, loaded into the node."""

from pathlib import Path

from cluster.images.build import Builder, drop_old_nodes
from cluster.images.gotools import GoTools
from cluster.images.load import images_loaded, load_images
from cluster.images.manifest import load_manifest
from cluster.images.mode import Decision, Mode, decide
from cluster.images.pull import pull_shop_steps, pull_steps, pulled_preloads
from cluster.steps import Step

BIN = Path(__file__).parents[2] / "bin"

__all__ = [
    "Decision",
    "GoTools",
    "Mode",
    "decide",
    "drop_old_nodes",
    "image_steps",
    "images_loaded",
    "load_images",
    "load_manifest",
    "pulled_preloads",
    "shop_image_steps",
]


def image_steps(mode: Mode) -> list[Step]:
    """Give the steps after which Docker has every image the cluster needs, and `./bin` the client programs."""
    manifest = load_manifest()
    steps = Builder(manifest).steps() if mode is Mode.BUILD else pull_steps(manifest)
    tools = GoTools(manifest)
    return [*steps, Step("Client programs in ./bin", lambda _: tools.link(BIN), lambda: tools.linked(BIN))]


def shop_image_steps() -> list[Step]:
    """Give the steps after which Docker has the images of the shop's data services, made as the cluster's own were."""
    manifest = load_manifest()
    mode = decide("auto", manifest).mode
    return Builder(manifest).shop_steps() if mode is Mode.BUILD else pull_shop_steps(manifest)
