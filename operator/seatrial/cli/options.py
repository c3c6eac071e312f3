"""What the commands share: options of one name and one meaning, and the two ways in which an answer is written."""

import json
import os
import sys
from enum import StrEnum
from typing import Annotated

import typer
import yaml
from rich.console import Console, RenderableType

from seatrial.cli.cluster import Cluster, on_cluster
from seatrial.cli.complaint import Complaint
from seatrial.kube.kinds import MESH_SERVICE, REVISION, Kind


class Output(StrEnum):
    """How the answer is written."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


def _names(ctx: typer.Context, kind: Kind) -> list[str]:
    async def names(cluster: Cluster) -> list[str]:
        found = await cluster.kube.list(kind, ctx.params.get("namespace") or cluster.namespace)
        return [o["metadata"]["name"] for o in found]

    try:
        return on_cluster(ctx.params.get("context"), names)
    except Complaint:
        return []


def services_named(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of services, for the shell's completion; nothing where the cluster can't be asked."""
    return [n for n in _names(ctx, MESH_SERVICE) if n.startswith(incomplete)]


def revisions_named(ctx: typer.Context, incomplete: str) -> list[str]:
    """The same for revisions."""
    return [n for n in _names(ctx, REVISION) if n.startswith(incomplete)]


Context = Annotated[
    str | None, typer.Option("--context", help="Context of the kubeconfig; without it the current one.")
]
Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="Without it that of the context.")]
Format = Annotated[Output, typer.Option("--output", "-o", help="For people, or for programs.")]
Service = Annotated[str, typer.Argument(help="Name of the MeshService.", autocompletion=services_named)]


def write(data: object, output: Output) -> None:
    """Print for programs."""
    if output is Output.JSON:
        sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n")
    else:
        sys.stdout.write(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
    sys.stdout.flush()


def terminal() -> bool:
    """Whether somebody looks at what is printed as it comes."""
    return sys.stdout.isatty()


def console() -> Console:
    """Where people read; what goes into a pipe isn't cut to the width of a terminal that isn't there."""
    bounded = terminal() or "COLUMNS" in os.environ
    return Console(width=None if bounded else 200, highlight=False, soft_wrap=not bounded)


def say(line: str) -> None:
    """Print a line as it is: a terminal wraps it, a log keeps it whole."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def show(what: RenderableType) -> None:
    """Print for people."""
    console().print(what, markup=False)
    sys.stdout.flush()
