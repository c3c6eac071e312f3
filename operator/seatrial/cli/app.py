"""The commands: what they are called, what they take, and how they end."""

import json
import os
import sys
from enum import StrEnum
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console, RenderableType

from seatrial.api.names import OPERATOR_NAMESPACE
from seatrial.api.problems import Level
from seatrial.cli import manifests, namespaces, screen
from seatrial.cli.cluster import Cluster, on_cluster, services
from seatrial.cli.complaint import Complaint
from seatrial.kube.errors import ApiFailure
from seatrial.kube.kinds import DEPLOYMENT, MESH_SERVICE

app = typer.Typer(
    name="seatrial",
    help="A sea trial for every change on Istio.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Output(StrEnum):
    """How the answer is written."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


Context = Annotated[
    str | None, typer.Option("--context", help="Context of the kubeconfig; without it the current one.")
]
Format = Annotated[Output, typer.Option("--output", "-o", help="For people, or for programs.")]


def _completed(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of services, for the shell's completion; nothing where the cluster can't be asked."""

    async def names(cluster: Cluster) -> list[str]:
        found = await cluster.kube.list(MESH_SERVICE, ctx.params.get("namespace") or cluster.namespace)
        return [o["metadata"]["name"] for o in found]

    try:
        return [n for n in on_cluster(ctx.params.get("context"), names) if n.startswith(incomplete)]
    except Complaint:
        return []


@app.command()
def status(
    service: Annotated[
        str | None, typer.Argument(help="Show this one whole.", autocompletion=_completed, show_default=False)
    ] = None,
    namespace: Annotated[str | None, typer.Option("--namespace", "-n", help="Of the services.")] = None,
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="All namespaces.")] = False,  # noqa: FBT002
    output: Format = Output.TEXT,
    context: Context = None,
) -> None:
    """Show services: revisions, weights wanted and verified, and how a rollout fares."""
    if service is not None and everywhere:
        raise Complaint("one service has one namespace", "name it with -n in place of -A")

    async def read(cluster: Cluster) -> tuple[str | None, list[Any]]:
        where = None if everywhere else namespace or cluster.namespace
        return where, await services(cluster, where, service)

    where, found = on_cluster(context, read)
    if output is not Output.TEXT:
        _write([s.data() for s in found] if service is None else found[0].data(), output)
    elif service is not None:
        _show(screen.whole(found[0]))
    elif found:
        _show(screen.overview(found, namespaces=everywhere))
    else:
        _show(f"no MeshServices in namespace {where}: -A shows all namespaces" if where else "no MeshServices anywhere")


@app.command()
def lint(
    files: Annotated[list[Path], typer.Argument(help="Manifests, folders of them, or - for standard input.")],
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Of manifests that name none.")] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Advice counts as a problem.")] = False,  # noqa: FBT002
    output: Format = Output.TEXT,
) -> None:
    """Check manifests without a cluster: all that can be found there. Exit code 1 when there is a problem."""
    reading = manifests.read(files)
    found = manifests.findings(reading, namespace)
    if output is Output.TEXT:
        for finding in found:
            _show(str(finding))
        advice = sum(f.problem.level is Level.ADVICE for f in found)
        counted = f"problems: {len(found) - advice}, advice: {advice}" if found else "nothing to say"
        sys.stderr.write(f"objects: {len(reading.documents)}, files: {reading.files}, {counted}\n")
    else:
        _write([f.data() for f in found], output)
    if any(strict or f.problem.level is not Level.ADVICE for f in found):
        raise typer.Exit(1)


@app.command("namespace")
def namespace_command(
    name: Annotated[str, typer.Argument(help="The namespace; it is made where it isn't there.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take it back from the operator.")] = False,  # noqa: FBT002
    force: Annotated[bool, typer.Option("--force", help="Take labels over that another set.")] = False,  # noqa: FBT002
    context: Context = None,
) -> None:
    """Let the operator manage a namespace: label, sidecar injection, Pod Security restricted, RoleBinding."""

    async def change(cluster: Cluster) -> str:
        return await (namespaces.release(cluster, name) if remove else namespaces.manage(cluster, name, force=force))

    _show(on_cluster(context, change))


@app.command()
def version(
    client: Annotated[bool, typer.Option("--client", help="Ask no cluster.")] = False,  # noqa: FBT002
    output: Format = Output.TEXT,
    context: Context = None,
) -> None:
    """Tell the versions of this program and of the operator in the cluster."""
    told = {"client": installed("seatrial")}
    if not client:
        told["operator"] = _operator_version(context)
    if output is Output.TEXT:
        _show("\n".join(f"{part:<9} {told[part]}" for part in told))
    else:
        _write(told, output)


def _operator_version(context: str | None) -> str:
    async def ask(cluster: Cluster) -> str:
        try:
            found = await cluster.kube.find(DEPLOYMENT, "seatrial-operator", OPERATOR_NAMESPACE)
        except ApiFailure as error:
            return f"unknown: {error.message}"
        if found is None:
            return "not installed"
        return str(found["metadata"].get("labels", {}).get("app.kubernetes.io/version", "unknown"))

    try:
        return on_cluster(context, ask)
    except Complaint as complaint:
        return f"unknown: {complaint}"


@app.command(rich_help_panel="In the cluster")
def operator() -> None:
    """Run the operator: watch, decide, write. One of several is active at a time."""
    from seatrial.control.main import run_operator  # noqa: PLC0415 # Kopf is nothing a user of `status` waits for

    run_operator()


@app.command(rich_help_panel="In the cluster")
def janitor() -> None:
    """Run the janitor: bring rollouts back to stable when no operator has been seen for 15 s."""
    from seatrial.control.main import run_janitor  # noqa: PLC0415

    run_janitor()


@app.command(rich_help_panel="In the cluster")
def release() -> None:
    """Before an uninstall: bring every active rollout back to stable and take Seatrial's finalizers away."""
    from seatrial.control.main import run_release  # noqa: PLC0415

    run_release()


def _write(data: object, output: Output) -> None:
    if output is Output.JSON:
        sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n")
    else:
        sys.stdout.write(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))


def _show(what: RenderableType) -> None:
    """Print for people; what goes into a pipe isn't cut to the width of a terminal that isn't there."""
    terminal = sys.stdout.isatty() or "COLUMNS" in os.environ
    console = Console(width=None if terminal else 200, highlight=False, soft_wrap=not terminal)
    console.print(what, markup=False)
