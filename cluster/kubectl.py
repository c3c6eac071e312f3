"""kubectl as the cluster's own steps use it: the one that was compiled for it, on its context."""

from pathlib import Path

from cluster.commands import command, probe
from cluster.host import CONTEXT
from cluster.images import GoTools, load_manifest


def kubectl(*arguments: str, given: str = "") -> str:
    """Run kubectl, which reads `given`, and return its output; raises `Failure` when it fails."""
    return command([_binary(), "--context", CONTEXT, *arguments], input=given.encode())


def ask(*arguments: str) -> str | None:
    """Ask something cheap: kubectl's output, or None when it fails."""
    return probe([_binary(), "--context", CONTEXT, "--request-timeout=5s", *arguments])


def _binary() -> Path:
    return GoTools(load_manifest()).binary("kubectl")
