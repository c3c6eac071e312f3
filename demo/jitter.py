"""``python -m demo.jitter docs/img/jitter.svg``: what jitter does to a crowd that failed together, as a picture.

A carrier that can answer four calls in twenty milliseconds gets two hundred at once. Whoever is refused waits as
``chassis.retry`` says and calls again: without jitter, with equal jitter (half of the wait is fixed, half is drawn) and
with full jitter. Seeded, so that the picture is the same each time.
"""

import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from pathlib import Path
from typing import Final

from chassis.retry import wait_before

CLIENTS: Final = 200
SLOT: Final = 0.02
"""Seconds that a bar stands for."""
CAPACITY: Final = 4
"""Calls that are served in a slot; all others are refused."""
SHOWN: Final = 3.0
"""Seconds in the picture."""
SEED: Final = 20

WIDTH, HEIGHT, LEFT, TOP, GAP = 860, 120, 60, 40, 64


@dataclass(frozen=True)
class Crowd:
    """What came of one way to wait. ``arrivals`` is calls by slot; seconds until all were served."""

    title: str
    arrivals: Counter[int]
    seconds: float

    @property
    def calls(self) -> int:
        """All calls, the refused ones too."""
        return self.arrivals.total()

    @property
    def second_peak(self) -> int:
        """Most calls in one slot after the first."""
        return max(count for slot, count in self.arrivals.items() if slot > 0)


def crowd(title: str, draw: Callable[[], float]) -> Crowd:
    """Let everybody call until they are served. ``draw`` gives the share of the whole wait that is waited."""
    waiting = [(0.0, client, 0) for client in range(CLIENTS)]
    heapify(waiting)
    arrivals: Counter[int] = Counter()
    last = 0.0
    while waiting:
        now, client, attempt = heappop(waiting)
        slot = int(now / SLOT)
        arrivals[slot] += 1
        if arrivals[slot] <= CAPACITY:
            last = now
        else:
            heappush(waiting, (now + wait_before(attempt, draw=draw), client, attempt + 1))
    return Crowd(title, arrivals, last)


def crowds(seed: int = SEED) -> list[Crowd]:
    """The three ways to wait, on equal terms."""
    chance = random.Random(seed)  # noqa: S311 - a picture, no secret
    return [
        crowd("no jitter", lambda: 1.0),
        crowd("equal jitter", lambda: 0.5 + chance.random() / 2),
        crowd("full jitter", chance.random),
    ]


def svg(found: list[Crowd]) -> str:
    """The picture: one row of bars a crowd, on the same scales."""
    most = max(max(one.arrivals.values()) for one in found)
    rows = "\n".join(_row(one, TOP + index * (HEIGHT + GAP), most) for index, one in enumerate(found))
    height = TOP + len(found) * (HEIGHT + GAP)
    style = (
        "text{font:13px sans-serif;fill:#24292f}.axis{stroke:#57606a}.cap{stroke:#bc4c00;stroke-dasharray:4 3}"
        ".bar{fill:#0969da}.sub{fill:#57606a;font-size:12px}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 20} {height}" role="img" '
        f'aria-label="Calls by time with no, equal and full jitter">\n<style>{style}</style>\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n{rows}\n</svg>\n'
    )


def _row(one: Crowd, top: int, most: int) -> str:
    bar, floor = WIDTH * SLOT / SHOWN, top + HEIGHT
    scale = HEIGHT / most
    bars = "".join(
        f'<rect class="bar" x="{LEFT + slot * bar:.1f}" y="{floor - count * scale:.1f}" '
        f'width="{bar - 1:.1f}" height="{count * scale:.1f}"/>'
        for slot, count in sorted(one.arrivals.items())
        if slot * SLOT < SHOWN
    )
    ticks = "".join(
        f'<text class="sub" x="{LEFT + second * WIDTH / SHOWN:.0f}" y="{floor + 16}">{second} s</text>'
        for second in range(int(SHOWN) + 1)
    )
    line = floor - CAPACITY * scale
    return (
        f'<text x="{LEFT}" y="{top - 8}"><tspan font-weight="bold">{one.title}</tspan>: {one.calls} calls, '
        f"{one.second_peak} at once after the first, all served after {one.seconds:.1f} s</text>"
        f'<text class="sub" x="{LEFT - 8}" y="{top + 10}" text-anchor="end">{most}</text>'
        f'{bars}<line class="axis" x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{floor}" y2="{floor}"/>'
        f'<line class="cap" x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{line:.1f}" y2="{line:.1f}"/>{ticks}'
    )


def main() -> None:
    """Draw it, and tell the figures."""
    if len(sys.argv) != 2:
        sys.exit("where to? python -m demo.jitter docs/img/jitter.svg")
    found = crowds()
    Path(sys.argv[1]).write_text(svg(found), encoding="utf-8")
    for one in found:
        sys.stdout.write(
            f"{one.title:13} {one.calls:5} calls, {one.second_peak:4} at once after the first, "
            f"all served after {one.seconds:5.1f} s\n"
        )


if __name__ == "__main__":
    main()
