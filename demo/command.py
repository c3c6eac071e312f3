"""The demo from its beginning to its end."""

import argparse
import json
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from rich.console import Console

from demo import checks, picture, screen
from demo.kubectl import DemoError, Kubectl
from demo.rollout import SERVICE, Following, change, follow, settled
from demo.voyage import Check, Finding, shares, stretches
from loadtests import LoadError, OpenLoad, Recording, open_load
from loadtests.plan import REQUESTS
from seatrial.api.base import seconds
from seatrial.api.meshservice import MeshService

_JOURNEY = "shopping"
_PATIENCE = 300.0  # seconds for pods and proxies, beside the holds


@dataclass(frozen=True)
class Course:
    """How the demo is run."""

    kubectl: Kubectl
    rate: float
    steps: list[int]
    hold: str
    picture: Path | None

    @classmethod
    def parse(cls, argv: Sequence[str]) -> Self:
        """Read the command line."""
        parser = argparse.ArgumentParser(prog="python -m demo", description="A rollout of orders under load.")
        option = parser.add_argument
        option("--rate", type=float, default=40.0, metavar="N", help="requests a second")
        option("--steps", type=int, nargs="*", default=[10, 50], metavar="PERCENT", help="of traffic at each step")
        option("--hold", default="8s", metavar="TIME", help="least time a step")
        option("--context", default="kind-seatrial", help="of the kubeconfig")
        option("--namespace", default="shop", help="where the shop is")
        option("--picture", type=Path, metavar="FILE", help="also keep what was shown as an SVG")
        given = parser.parse_args(argv)
        try:
            seconds(given.hold)
        except ValueError as error:
            parser.error(str(error))
        return cls(Kubectl(given.context, given.namespace), given.rate, given.steps, given.hold, given.picture)


def main(argv: Sequence[str]) -> int:
    """Run the demo; 0 when all that must hold was seen to hold."""
    course = Course.parse(argv)
    console = picture.console() if course.picture else Console(highlight=False)
    try:
        finding = _sail(course, console)
    except (DemoError, LoadError, TimeoutError) as error:
        remedy = error.remedy if isinstance(error, DemoError) else "make doctor, then again: make demo"
        console.print(f"[red]✘[/] {error}\n  → {remedy}", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("\nInterrupted; a rollout under way goes on. Again: make demo")
        return 130
    if course.picture is not None:
        picture.save(console, course.picture)
    return 1 if finding.faults else 0


def _sail(course: Course, console: Console) -> Finding:
    kubectl = course.kubectl
    service = settled(kubectl)
    screen.title(console, "The shop")
    screen.said(console, f"{SERVICE}-{service.status.stable_revision} is stable; http://shop.localhost:8080 is open")
    rate = course.rate / REQUESTS[_JOURNEY]
    with (
        checks.stranger(kubectl, service.spec.image),
        open_load(rate=rate, journey=_JOURNEY, seed=int(time.time())) as load,
    ):
        load.until(lambda seen: seen.total >= 2 * course.rate, within=60)
        screen.said(console, f"users come through the ingress gateway: {course.rate:g} requests a second")
        following = _roll_out(course, console, load)
        screen.title(console, "Who may talk to whom")
        found = _check(console, kubectl, service)
        before = load.snapshot().total
        load.until(lambda seen: seen.total >= before + 2 * course.rate, within=60)
        recording = load.stop()
    finding = _finding(following, recording, found)
    screen.title(console, f"{finding.revision}: the traffic it got, counted by who answered")
    console.print(screen.summary(finding))
    screen.title(console, "What to type next")
    console.print(screen.next_steps(_next(kubectl.namespace, finding.revision)))
    return finding


def _roll_out(course: Course, console: Console, load: OpenLoad) -> Following:
    kubectl = course.kubectl
    release = datetime.now(UTC).strftime("demo-%Y%m%d-%H%M%S")
    edit = json.dumps(change(release, course.steps, course.hold), separators=(",", ":"))
    typed = ["patch", "ms", SERVICE, "--type", "merge", "-p", edit]
    screen.title(console, f"A new revision of {SERVICE}")
    screen.typed(console, f"$ kubectl -n {kubectl.namespace} {shlex.join(typed[:-2])} \\")
    screen.typed(console, f"    {shlex.join(typed[-2:])}")
    following = Following()
    patience = _PATIENCE + seconds(course.hold) * len(course.steps)
    with screen.Screen(console, live=console.is_terminal and course.picture is None) as shown:
        for following in follow(kubectl, release, lambda: kubectl(*typed), within=patience):
            shown.show(following, load.snapshot())
    return following


def _check(console: Console, kubectl: Kubectl, service: MeshService) -> tuple[Check, ...]:
    def seen(title: str, look: Callable[[], Check]) -> Check:
        try:
            check = look()
        except DemoError as error:  # what can't be seen doesn't hold, but the rest is still worth telling
            check = Check(title, error.cause, holds=False)
        screen.said(console, check.seen)
        return check

    return (
        seen("identity", lambda: checks.identity(kubectl.namespace)),
        seen("not allowed", lambda: checks.not_allowed(kubectl)),
        seen("plain text", lambda: checks.plain_text(kubectl, service.spec.image)),
    )


def _finding(following: Following, load: Recording, found: tuple[Check, ...]) -> Finding:
    revision = following.revision
    attempt = revision.status.attempt if revision is not None else None
    if revision is None or attempt is None:
        raise DemoError("the new revision has no attempt", "kubectl -n shop get ms,rev")
    began, ended = load.requests[0].intended, load.requests[-1].ended
    parts = stretches(attempt, following.verified, began=began, ended=ended)
    return Finding(
        revision=revision.metadata.name,
        phase=attempt.phase,
        shares=shares(load, SERVICE, revision.spec.number, parts),
        load=load,
        checks=found,
    )


def _next(namespace: str, after: str) -> list[tuple[str, str]]:
    return [
        (f"kubectl -n {namespace} get ms,rev", "what runs, and goes on running"),
        (f"seatrial status -n {namespace}", "the same, and what comes next"),
        (f"kubectl -n {namespace} describe rev {after}", "its story, as the operator tells it"),
        ("make load USERS=20", "more users, with a page to watch them"),
        ("make demo", "another revision"),
        ("make cluster-down", "the end"),
    ]
