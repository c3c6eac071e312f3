"""The verbs of `python -m cluster`, each a sequence of steps.

What a step is about is in the module it comes from; here is only in which order, and what is asked first.
"""

import argparse
import json
import shutil

from rich.console import Console

from cluster import apps, docker, doctor, inotify
from cluster.bench import show_times
from cluster.cache import cache_root
from cluster.commands import Failure, Progress, command, probe
from cluster.host import CONTEXT, GATEWAY_PORT, read_facts
from cluster.images import Mode, decide, image_steps, load_manifest, shop_image_steps
from cluster.istio import istio_steps
from cluster.kind import delete_cluster, kind_steps
from cluster.kubectl import ask, kubectl
from cluster.metrics import metrics_steps
from cluster.releases import Release, ready_step, release_step
from cluster.steps import Outcome, Step, run_steps
from cluster.volumes import STORAGE_CLASS, volumes_step

SYSTEM_NAMESPACE = "seatrial-system"
SHOP_NAMESPACE = "shop"
CHARTS = apps.ROOT / "charts"


def up(console: Console, chosen: argparse.Namespace) -> int:
    """Bring the cluster up."""
    bring_up(console, chosen.images)
    console.print(
        f"\nThe cluster is up: kubectl get nodes; its gateway is http://127.0.0.1:{GATEWAY_PORT}", markup=False
    )
    return 0


def bring_up(console: Console, images: str) -> list[Outcome]:
    """Check the machine, then run every step that isn't done."""
    facts = read_facts()
    doctor.preflight(doctor.examine(facts, doctor.BUILT if images == Mode.BUILD.value else doctor.PULLED))
    outcomes = run_steps([*docker.steps(facts), *inotify.steps(facts)], console=console)
    decision = decide(images, load_manifest())
    console.print(f"Images are {_WORDS[decision.mode]}: {decision.reason}", markup=False)
    facts = read_facts()  # Docker runs now, and says more
    doctor.preflight(doctor.examine(facts, _need(decision.mode)))
    steps = [*image_steps(decision.mode), *kind_steps(facts, decision.mode), *istio_steps(decision.mode)]
    return outcomes + run_steps([*steps, *metrics_steps()], console=console)


_WORDS = {Mode.PULL: "pulled", Mode.BUILD: "built from packages"}


def _need(mode: Mode) -> doctor.Need:
    """Tell what is still needed: what was built once takes no more than what is pulled."""
    built = probe(["docker", "image", "inspect", load_manifest().node]) is not None
    return doctor.BUILT if mode is Mode.BUILD and not built else doctor.PULLED


def down(console: Console, chosen: argparse.Namespace) -> int:  # noqa: ARG001 - all verbs are called alike
    """Remove the cluster, and nothing else."""
    facts = read_facts()
    if facts.dockerd and not facts.engine:
        raise Failure("Docker does not run, so what it holds can't be removed", "start it (make doctor says how)")
    if not facts.nodes:
        console.print("There is no cluster to remove.")
        return 0
    run_steps([Step("Remove the cluster", delete_cluster, lambda: False)], console=console)
    return 0


def check(console: Console, chosen: argparse.Namespace) -> int:  # noqa: ARG001 - all verbs are called alike
    """Print what is wrong with this machine."""
    findings = doctor.examine(read_facts(), _need(Mode.BUILD))
    doctor.report(findings, console)
    blocking = [finding for finding in findings if finding.level is doctor.Level.BLOCKS]
    if not blocking:
        console.print("Nothing here stops make cluster-up.")
    return 1 if blocking else 0


def install(console: Console, chosen: argparse.Namespace) -> int:  # noqa: ARG001 - all verbs are called alike
    """Build and install the operator."""
    run_steps(operator_steps(), console=console)
    return 0


def operator_steps() -> list[Step]:
    """Give the steps that end with a ready operator."""
    app = apps.operator()
    values = (("image.repository", f"seatrial/{app.name}"), ("image.tag", app.tag))
    release = Release("seatrial", SYSTEM_NAMESPACE, CHARTS / "seatrial", values)
    return [
        apps.build_step(app),
        apps.load_step([app.image]),
        Step(f"Namespace {SYSTEM_NAMESPACE}", _restrict, _is_restricted),
        release_step(release),
        ready_step("Operator and janitor are ready", SYSTEM_NAMESPACE, "deployments", "Available"),
    ]


def shop(console: Console, chosen: argparse.Namespace) -> int:  # noqa: ARG001 - all verbs are called alike
    """Build and install the shop."""
    run_steps(shop_steps(), console=console)
    console.print(f"\nThe shop serves at http://shop.localhost:{GATEWAY_PORT}", markup=False)
    return 0


def shop_steps() -> list[Step]:
    """Give the steps that end with a shop that serves."""
    services = apps.services()
    values = (("image.tag", services[0].tag), ("storage.className", STORAGE_CLASS))
    return [
        *shop_image_steps(),
        *(apps.build_step(service) for service in services),
        apps.load_step([*(service.image for service in services), *load_manifest().names("shop")]),
        Step("Manage the namespace shop", _manage, _is_managed),
        volumes_step(SHOP_NAMESPACE, {"data-postgres-0": "2Gi", "data-nats-0": "1Gi"}),
        release_step(Release("shop", SHOP_NAMESPACE, CHARTS / "shop", values)),
        ready_step("The shop's services are ready", SHOP_NAMESPACE, "meshservices", "Ready", within=300),
    ]


def _restrict(progress: Progress) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted", "istio-injection": "disabled"}
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE, "labels": labels}}
    kubectl("apply", "--server-side", "--field-manager=seatrial", "--filename=-", given=json.dumps(manifest))
    progress.say("its pods get no more rights than Pod Security's level restricted")


def _is_restricted() -> bool:
    return _label(SYSTEM_NAMESPACE, "pod-security\\.kubernetes\\.io/enforce") == "restricted"


def _manage(progress: Progress) -> None:
    command(["seatrial", "namespace", SHOP_NAMESPACE, "--context", CONTEXT], progress=progress)


def _is_managed() -> bool:
    return _label(SHOP_NAMESPACE, "seatrial\\.dev/managed") == "true"


def _label(namespace: str, label: str) -> str | None:
    return ask("get", "namespace", namespace, "--output", f"jsonpath={{.metadata.labels.{label}}}")


def clean(console: Console, chosen: argparse.Namespace) -> int:
    """Remove the cluster, the caches, and the images built here."""
    down(console, chosen)
    steps = [
        Step("Remove the images built here", _remove_images, lambda: not _our_images()),
        Step(f"Remove {cache_root()}", lambda _: _remove_files(), lambda: False),
    ]
    run_steps(steps, console=console)
    return 0


def _our_images() -> list[str]:
    listing = probe(["docker", "images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=seatrial/*"])
    return (listing or "").split()


def _remove_images(progress: Progress) -> None:
    command(["docker", "image", "rm", "--force", *_our_images()], progress=progress)


def _remove_files() -> None:
    command(["chmod", "-R", "u+w", cache_root()])  # Go keeps what it downloads read-only
    shutil.rmtree(cache_root())
    shutil.rmtree(apps.ROOT / "bin", ignore_errors=True)


def bench(console: Console, chosen: argparse.Namespace) -> int:
    """Make the cluster and the shop from nothing and print what each step took."""
    down(console, chosen)
    outcomes = bring_up(console, chosen.images)
    outcomes += run_steps([*operator_steps()], console=console)
    outcomes += run_steps([*shop_steps()], console=console)
    show_times(outcomes, console)
    return 0
