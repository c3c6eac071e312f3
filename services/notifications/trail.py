"""The trail of a click: which event followed from which, down to the last notification.

Every event names the request that began it all (correlation) and what it directly follows from (causation). Kept here
without what it says, that is a tree, which ``draw`` draws. Pure.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Step:
    """Something that happened, and what it follows from."""

    id: str
    cause: str
    name: str
    where: str
    at: datetime


def draw(root: str, steps: Sequence[Step]) -> list[str]:
    """The steps as a tree below the request that they follow from, with seconds since the first.

    A step whose cause isn't among them (it was forgotten, or happens elsewhere) stands right below the request.
    """
    if not steps:
        return []
    known = {step.id for step in steps}
    first = min(step.at for step in steps)
    below: dict[str, list[Step]] = defaultdict(list)
    for step in sorted(steps, key=lambda step: (step.at, step.id)):
        below[step.cause if step.cause in known and step.cause != step.id else root].append(step)
    lines = list(_branches(root, below, ""))
    width = max((len(branch) for branch, _ in lines), default=0)
    return [
        f"request {root}, {first.isoformat(timespec='milliseconds')}",
        *(f"{branch:{width}}  {step.where:14}{(step.at - first).total_seconds():+9.3f} s" for branch, step in lines),
    ]


def _branches(parent: str, below: dict[str, list[Step]], indent: str) -> Iterator[tuple[str, Step]]:
    children = below.pop(parent, [])  # taken out, so that causes that go in a circle end
    for number, step in enumerate(children, start=1):
        last = number == len(children)
        yield f"{indent}{'└─' if last else '├─'} {step.name}", step
        yield from _branches(step.id, below, indent + ("   " if last else "│  "))
