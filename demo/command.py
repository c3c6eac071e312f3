"""The demo from its beginning to its end."""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from rich.console import Console

from demo import checks, picture, screen
from demo.edits import SERVICE, Mooring, breaking, change, patch, settled, typed
from demo.kubectl import DemoError, Kubectl, Object
from demo.rollout import Following, follow
from demo.voyage import Check, Finding, Promotion, Rescue, part, reasons, rescue, shares, stretches
from loadtests import LoadError, OpenLoad, Recording, open_load
from loadtests.plan import REQUESTS
from seatrial.api.base import seconds
from seatrial.api.meshservice import MeshService
from seatrial.api.revision import Attempt, Revision

_JOURNEY = "shopping"
_PATIENCE = 240.0  # seconds for pods, proxies and evidence, beside the holds


@dataclass(frozen=True)
class Course:
    """How the demo is run."""

    kubectl: Kubectl
    rate: float
    steps: list[int]
    hold: str
    tolerate: float
    picture: Path | None

    @classmethod
    def parse(cls, argv: Sequence[str]) -> Self:
        """Read the command line."""
        parser = argparse.ArgumentParser(
            prog="python -m demo", description="A good and a bad revision of orders under load."
        )
        option = parser.add_argument
        option("--rate", type=float, default=60.0, metavar="N", help="requests a second")
        option("--steps", type=int, nargs="*", default=[10, 50], metavar="PERCENT", help="of traffic at each step")
        option("--hold", default="5s", metavar="TIME", help="least time a step")
        option("--tolerate", type=float, default=2.0, metavar="POINTS", help="percent points worse that are as good")
        option("--context", default="kind-seatrial", help="of the kubeconfig")
        option("--namespace", default="shop", help="where the shop is")
        option("--picture", type=Path, metavar="FILE", help="also keep what was shown as an SVG")
        given = parser.parse_args(argv)
        try:
            seconds(given.hold)
        except ValueError as error:
            parser.error(str(error))
        kubectl = Kubectl(given.context, given.namespace)
        return cls(kubectl, given.rate, given.steps, given.hold, given.tolerate, given.picture)


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
        console.print(f"\nInterrupted; {SERVICE} goes back to its good template. Again: make demo")
        return 130
    if course.picture is not None:
        picture.save(console, course.picture)
    return 1 if finding.faults else 0


def _sail(course: Course, console: Console) -> Finding:
    kubectl = course.kubectl
    screen.title(console, "The shop")
    rate = course.rate / REQUESTS[_JOURNEY]
    with open_load(rate=rate, journey=_JOURNEY, seed=int(time.time())) as load:
        service = settled(kubectl)
        screen.said(
            console, f"{SERVICE}-{service.status.stable_revision} is stable; http://shop.localhost:8080 is open"
        )
        load.until(lambda seen: seen.total >= 2 * course.rate, within=60)
        screen.said(console, f"users come through the ingress gateway: {course.rate:g} requests a second")
        with checks.stranger(kubectl, service.spec.image), Mooring(kubectl) as mooring:
            promoted, found = _good_revision(course, console, load, service)
            rescued = None
            if promoted.following.succeeded:
                mooring.keep()
                rescued = _bad_revision(course, console, load, mooring)
        recording = load.stop()
    until = rescued.began if rescued else float("inf")
    finding = Finding(
        promotion=_promotion(promoted.following, part(recording, promoted.began, until)),
        checks=found,
        rescue=_rescue(rescued.following, part(recording, rescued.began)) if rescued else None,
    )
    _sum_up(console, kubectl.namespace, finding)
    return finding


@dataclass(frozen=True)
class _Act:
    """A revision that was followed to its end, and since when (Unix time)."""

    began: float
    following: Following


def _good_revision(
    course: Course, console: Console, load: OpenLoad, service: MeshService
) -> tuple[_Act, tuple[Check, ...]]:
    screen.title(console, f"A good revision of {SERVICE}")
    release = _release()
    act = _roll_out(course, console, load, release, change(release, course.steps, course.hold, course.tolerate))
    screen.title(console, "Who may talk to whom")
    with _traffic_after(course, load):
        found = _check(console, course.kubectl, service)
    return act, found


def _bad_revision(course: Course, console: Console, load: OpenLoad, mooring: Mooring) -> _Act:
    screen.title(console, f"A bad revision of {SERVICE}")
    release = _release()
    act = _roll_out(course, console, load, release, breaking(release))
    screen.said(console, "and the way back to the good template, and to its own way to roll out:")
    with _traffic_after(course, load):
        screen.typed(console, *typed(course.kubectl, mooring.back()))
    return act


def _release() -> str:
    return datetime.now(UTC).strftime("demo-%Y%m%d-%H%M%S")


@contextmanager
def _traffic_after(course: Course, load: OpenLoad) -> Iterator[None]:
    """Let two seconds of traffic follow what was done, at least."""
    before = load.snapshot().total
    yield
    load.until(lambda seen: seen.total >= before + 2 * course.rate, within=60)


def _roll_out(course: Course, console: Console, load: OpenLoad, release: str, edit: Object) -> _Act:
    kubectl = course.kubectl
    screen.typed(console, *typed(kubectl, edit))
    following = Following()
    patience = _PATIENCE + seconds(course.hold) * len(course.steps)
    began = time.time()
    with screen.Screen(console, live=console.is_terminal and course.picture is None) as shown:
        for following in follow(kubectl, release, lambda: patch(kubectl, edit), within=patience):
            shown.show(following, load.snapshot())
    return _Act(began, following)


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


def _tried(following: Following) -> tuple[Revision, Attempt]:
    if following.revision is None or following.attempt is None:
        raise DemoError("the new revision has no attempt", "kubectl -n shop get ms,rev")
    return following.revision, following.attempt


def _promotion(following: Following, load: Recording) -> Promotion:
    revision, attempt = _tried(following)
    began, ended = load.requests[0].intended, load.requests[-1].ended
    parts = stretches(attempt, following.verified, began=began, ended=ended)
    return Promotion(
        revision=revision.metadata.name,
        phase=attempt.phase,
        shares=shares(load, SERVICE, revision.spec.number, parts),
        reasons=reasons(attempt),
        load=load,
    )


def _rescue(following: Following, load: Recording) -> Rescue:
    return rescue(*_tried(following), load)


def _sum_up(console: Console, namespace: str, finding: Finding) -> None:
    screen.title(console, f"{finding.promotion.revision}: the traffic it got, counted by who answered")
    console.print(screen.promotion(finding.promotion))
    screen.title(console, "The mesh")
    console.print(screen.checked(finding.checks))
    if finding.rescue is not None:
        screen.title(console, f"{finding.rescue.revision}: a bad one, taken back")
        console.print(screen.rescue(finding.rescue))
    if finding.faults:
        console.print(screen.faults(finding.faults))
    screen.title(console, "What to type next")
    console.print(screen.next_steps(_next(namespace, finding)))


def _next(namespace: str, finding: Finding) -> list[tuple[str, str]]:
    judged = finding.rescue.revision if finding.rescue is not None else finding.promotion.revision
    return [
        (f"kubectl get ms,rev -n {namespace}", "what runs, and goes on running"),
        (f"seatrial explain {judged} -n {namespace}", "what was decided of it, with the numbers"),
        (f"seatrial status {SERVICE} -n {namespace}", "the service, and what comes next"),
        ("make load USERS=20", "more users, with a page to watch them"),
        ("make demo", "both again"),
        ("make cluster-down", "the end"),
    ]
