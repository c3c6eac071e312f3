"""Looking on: a rollout once a second until somebody has seen enough, or until it has ended."""

import asyncio
from collections.abc import Callable

from rich.live import Live

from seatrial.cli import screen, waiting
from seatrial.cli.cluster import Cluster, service
from seatrial.cli.complaint import Complaint
from seatrial.cli.lines import Teller
from seatrial.cli.options import console, say, terminal
from seatrial.cli.seen import Seen
from seatrial.cli.waiting import Code, Result
from seatrial.kube.errors import Throttled, Unavailable

EVERY = 1.0


async def watch(cluster: Cluster, name: str, namespace: str | None) -> None:
    """Show one service until the process is interrupted."""
    there = await service(cluster, name, namespace)
    if not terminal():
        await _watch_lines(cluster, there)
    shown = screen.whole(there, live=True)
    with Live(shown, console=console(), auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            await asyncio.sleep(EVERY)
            there = await _again(cluster, there, live.console.print) or there
            live.update(screen.whole(there, live=True), refresh=True)


async def _watch_lines(cluster: Cluster, there: Seen) -> None:
    teller = Teller()
    while True:
        for line in teller.lines(there):
            say(line)
        await asyncio.sleep(EVERY)
        there = await _again(cluster, there, say) or there


async def _again(cluster: Cluster, before: Seen, tell: Callable[[str], None] | None) -> Seen | None:
    """The next look; None where the API server is away for a moment."""
    try:
        return await service(cluster, before.name, before.metadata.namespace)
    except (Unavailable, Throttled) as error:
        if tell is not None:
            tell(f"{before.name}: no look: {error.message}")
        return None


async def wait(  # noqa: PLR0913 # the options of the command
    cluster: Cluster,
    name: str,
    namespace: str | None,
    *,
    revision: int | None,
    longest: float,
    tell: Callable[[str], None] | None,
) -> Result:
    """Wait for the end of an attempt, `longest` seconds at most."""
    clock = asyncio.get_running_loop().time
    end = clock() + longest
    there = await service(cluster, name, namespace)
    if revision is not None and there.revision(revision) is None:
        numbers = ", ".join(str(r.spec.number) for r in there.revisions) or "none yet"
        raise Complaint(f"{name} has no revision {revision}", f"it has {numbers}; leave --revision out")
    aim, teller = waiting.goal(there, revision), Teller()
    while True:
        aim = waiting.narrowed(aim, there)
        for line in teller.lines(there):
            if tell is not None:
                tell(line)
        if ended := waiting.result(aim, there):
            return ended
        if clock() >= end:
            return Result(Code.TIMEOUT, f"not within the time given: {waiting.pending(aim, there)}", aim.revision)
        await asyncio.sleep(min(EVERY, max(0.0, end - clock())))
        there = await _again(cluster, there, tell) or there
