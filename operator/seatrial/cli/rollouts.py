"""The commands of a rollout: ask for something, look on, look back, wait."""

import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer

from seatrial.api.base import seconds
from seatrial.api.names import ANNOTATION_RESTART
from seatrial.cli import cluster, logbook, looking, verbs
from seatrial.cli.cluster import Cluster, on_cluster
from seatrial.cli.complaint import Complaint
from seatrial.cli.options import Context, Format, Namespace, Output, Service, revisions_named, say, show, write
from seatrial.cli.seen import Seen, Tried
from seatrial.cli.waiting import Code
from seatrial.kube.errors import Forbidden
from seatrial.kube.kinds import MESH_SERVICE, REVISION
from seatrial.rollout.verbs import Verb

_ROLLOUTS = "Rollouts"
_ABOUT: dict[Verb, str] = {
    "promote": "Give the revision that is rolled out all traffic, without waiting for more evidence.",
    "pause": "Hold a rollout at its weight.",
    "resume": "Let a rollout go on that `pause`, or want of a verdict, holds.",
    "abort": "End a rollout: all traffic goes back to stable.",
    "retry": "Try a revision again that was rolled back, failed or was aborted; --to names another one.",
    "rollback": "Go back: in a rollout to stable, else to the revision that served before; --to names another one.",
}

To = Annotated[int | None, typer.Option("--to", help="Number of the revision that is meant.", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Make them commands of the program."""
    for verb, about in _ABOUT.items():
        app.command(verb, help=about, rich_help_panel=_ROLLOUTS)(_command(verb))
    for command in (watch, history, explain, wait, restart):
        app.command(rich_help_panel=_ROLLOUTS)(command)


def _command(verb: Verb) -> Callable[..., None]:
    def command(  # noqa: PLR0913, PLR0917 # each is an option
        service: Service,
        to: To = None,
        no_wait: Annotated[bool, typer.Option("--no-wait", help="Don't wait for the answer.")] = False,  # noqa: FBT002
        namespace: Namespace = None,
        output: Format = Output.TEXT,
        context: Context = None,
    ) -> None:
        ask = verbs.Ask(verb, service, namespace, to)
        said = on_cluster(context, lambda there: verbs.tell(there, ask, wait=not no_wait))
        if output is not Output.TEXT:
            write(said.data(), output)
            if said.done is False:
                raise typer.Exit(1)
        elif said.done is False:
            raise Complaint(f"{verb} of {said.revision} is refused: {said.message}", f"see `seatrial status {service}`")
        else:
            say(f"{said.revision}: {said.message}")

    return command


def watch(service: Service, namespace: Namespace = None, context: Context = None) -> None:
    """Look on until Ctrl-C: the screen of `status`, live; where there is no terminal a line for each change."""
    try:
        on_cluster(context, lambda there: looking.watch(there, service, namespace))
    except KeyboardInterrupt:
        return


def history(
    service: Service, namespace: Namespace = None, output: Format = Output.TEXT, context: Context = None
) -> None:
    """Show the log: every attempt of every revision with its times, weights and decision."""
    found = on_cluster(context, lambda there: cluster.service(there, service, namespace))
    if output is Output.TEXT:
        show(logbook.history(found))
    else:
        write(logbook.records(found), output)


def explain(
    revision: Annotated[
        str, typer.Argument(help="As orders-4; or a service: its newest attempt.", autocompletion=revisions_named)
    ],
    attempt: Annotated[int | None, typer.Option("--attempt", help="Number of it; else the newest.")] = None,
    namespace: Namespace = None,
    output: Format = Output.TEXT,
    context: Context = None,
) -> None:
    """Explain what was decided of a revision, in sentences with the numbers."""
    found, tried = on_cluster(context, lambda there: _tried(there, revision, namespace, attempt))
    if output is Output.TEXT:
        show(logbook.explain(found, tried))
    else:
        write(logbook.record(tried), output)


async def _tried(there: Cluster, name: str, namespace: str | None, attempt: int | None) -> tuple[Seen, Tried]:
    where = namespace or there.namespace
    raw = await there.kube.find(REVISION, name, where)
    if raw is None and not re.search(r"-\d+$", name):
        found = await cluster.service(there, name, where)
    else:
        raw = raw or await there.the(REVISION, name, where)
        found = await cluster.service(there, raw["spec"]["service"], where)
    own = [t for t in found.attempts if raw is None or t.revision.metadata.name == name]
    numbers = [t.attempt.number for t in own]
    if not own:
        raise Complaint(f"nothing of {name} was tried yet", f"see `seatrial status {found.name}`")
    if attempt is not None and attempt not in numbers:
        kept = ", ".join(map(str, numbers))
        raise Complaint(f"{name} has no attempt {attempt}", f"its attempts that are kept: {kept}")
    return found, next(t for t in reversed(own) if attempt in {None, t.attempt.number})


def wait(  # noqa: PLR0913, PLR0917 # each is an option
    service: Service,
    timeout: Annotated[str, typer.Option("--timeout", help="Longest wait, as 90s or 10m.")] = "10m",
    revision: Annotated[
        int | None, typer.Option("--revision", help="Wait for this one, not for the template as it is applied now.")
    ] = None,
    namespace: Namespace = None,
    output: Format = Output.TEXT,
    context: Context = None,
) -> None:
    """Wait for the end of a rollout.

    Exit code 0: succeeded, 1: rolled back, failed, aborted or not accepted, 2: paused or inconclusive, 3: not within
    the timeout, 4: superseded.
    """
    try:
        longest = seconds(timeout)
    except ValueError as error:
        raise Complaint(f"--timeout: {error}", "for example --timeout 10m") from error
    quiet = output is not Output.TEXT
    ended = on_cluster(
        context,
        lambda there: looking.wait(
            there, service, namespace, revision=revision, longest=longest, tell=None if quiet else say
        ),
    )
    if quiet:
        write(ended.data(), output)
    else:
        say(f"{service}: {ended.message}")
    sys.stdout.flush()
    if ended.code is not Code.SUCCEEDED:
        raise typer.Exit(int(ended.code))


def restart(service: Service, namespace: Namespace = None, context: Context = None) -> None:
    """Roll the same template out again as a new revision: for Secrets that changed."""
    say(on_cluster(context, lambda there: _restart(there, service, namespace)))


async def _restart(there: Cluster, name: str, namespace: str | None) -> str:
    found = await cluster.service(there, name, namespace)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    where = found.metadata.namespace
    patch = {"metadata": {"annotations": {ANNOTATION_RESTART: now}}}
    try:
        await there.kube.merge(MESH_SERVICE, name, where, patch)
    except Forbidden as error:
        raise Complaint(error.message, f"ask for the role seatrial-edit, or edit, in namespace {where}") from error
    active = found.active
    gives_way = f"; revision {active.number}, which is being rolled out, gives way to it" if active else ""
    return f"{name}: a new revision of the same template begins{gives_way}; `seatrial wait {name}` waits for it"
