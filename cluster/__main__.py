"""`python -m cluster`: the cluster of this machine, from nothing to a shop that serves, and back."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console

from cluster import sequence
from cluster.apps import ROOT
from cluster.cache import exclusive
from cluster.commands import Failure, interrupt_commands

_INTERRUPTED = "interrupted: the same command resumes at this step"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. A failure's step, cause and remedy are the last lines; the exit code is 1."""
    chosen = _parser().parse_args(arguments)
    os.environ["PATH"] = os.pathsep.join([str(ROOT / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    signal.signal(signal.SIGTERM, _as_interrupt)
    signal.signal(signal.SIGHUP, _as_interrupt)
    console = Console(highlight=False)
    last_words = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    try:
        if not chosen.changes:
            return int(chosen.run(console, chosen))
        with exclusive(
            "cluster", busy=lambda: console.print("Another run is at work on the cluster: waiting for it …")
        ):
            return int(chosen.run(console, chosen))
    except Failure as failure:
        last_words.print(f"\n✘ {failure.step}: {failure.cause}" if failure.step else f"\n✘ {failure.cause}")
        last_words.print(f"  → {failure.remedy}", style="bold")
    except KeyboardInterrupt:
        interrupt_commands()
        last_words.print(f"\n■ {_INTERRUPTED}")
        return 130
    return 1


def _as_interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's arguments
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cluster", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for name, run, help_text in (
        ("up", sequence.up, "a kind cluster with Istio"),
        ("down", sequence.down, "remove the cluster, and nothing else"),
        ("doctor", sequence.check, "what is wrong with this machine, and what to type"),
        ("install", sequence.install, "build the operator and install it"),
        ("shop", sequence.shop, "build the sample shop and install it"),
        ("clean", sequence.clean, "remove the cluster, the caches, and the images built here"),
        ("bench", sequence.bench, "how long each step from nothing to a running shop takes"),
    ):
        verb = verbs.add_parser(name, help=help_text, description=help_text)
        verb.set_defaults(run=run, changes=name != "doctor")
        if name in {"up", "bench"}:
            verb.add_argument(
                "--images",
                choices=("auto", "pull", "build"),
                default="auto",
                help="pull images, build them from packages, or see what this machine reaches (default)",
            )
    return parser


if __name__ == "__main__":
    sys.exit(main())
