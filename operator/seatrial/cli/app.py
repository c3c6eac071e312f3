"""The commands: what they are called, what they take, and how they end."""

import sys
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated

import typer

from seatrial.api.names import OPERATOR_NAMESPACE
from seatrial.api.problems import Level
from seatrial.cli import cluster, manifests, namespaces, screen
from seatrial.cli.cluster import Cluster, on_cluster
from seatrial.cli.complaint import Complaint
from seatrial.cli.options import Context, Format, Namespace, Output, say, services_named, show, write
from seatrial.cli.rollouts import add_to as add_rollouts_to
from seatrial.cli.seen import Seen
from seatrial.cli.shop import add_to as add_shop_to
from seatrial.kube.errors import ApiFailure
from seatrial.kube.kinds import DEPLOYMENT

app = typer.Typer(
    name="seatrial",
    help="A sea trial for every change on Istio.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def status(
    service: Annotated[
        str | None, typer.Argument(help="Show this one whole.", autocompletion=services_named, show_default=False)
    ] = None,
    namespace: Namespace = None,
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="All namespaces.")] = False,  # noqa: FBT002
    output: Format = Output.TEXT,
    context: Context = None,
) -> None:
    """Show services; or one of them whole: weights, evidence, what comes next and what it waits for."""
    if service is None:
        _overview(namespace, context, output, everywhere=everywhere)
    elif everywhere:
        raise Complaint("one service has one namespace", "name it with -n in place of -A")
    else:
        found = on_cluster(context, lambda there: cluster.service(there, service, namespace))
        if output is Output.TEXT:
            show(screen.whole(found))
        else:
            write(found.data(), output)


def _overview(namespace: str | None, context: str | None, output: Output, *, everywhere: bool) -> None:
    async def read(there: Cluster) -> tuple[str | None, list[Seen]]:
        where = None if everywhere else namespace or there.namespace
        return where, await cluster.services(there, where)

    where, found = on_cluster(context, read)
    if output is not Output.TEXT:
        write([s.data() for s in found], output)
    elif found:
        show(screen.overview(found, namespaces=everywhere))
    else:
        say(f"no MeshServices in namespace {where}: -A shows all namespaces" if where else "no MeshServices anywhere")


add_rollouts_to(app)
add_shop_to(app)


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
            say(str(finding))
        advice = sum(f.problem.level is Level.ADVICE for f in found)
        counted = f"problems: {len(found) - advice}, advice: {advice}" if found else "nothing to say"
        sys.stderr.write(f"objects: {len(reading.documents)}, files: {reading.files}, {counted}\n")
    else:
        write([f.data() for f in found], output)
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

    say(on_cluster(context, change))


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
        say("\n".join(f"{part:<9} {told[part]}" for part in told))
    else:
        write(told, output)


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
