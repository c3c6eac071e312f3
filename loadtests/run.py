"""A run of the shop for people: Locust with its page, our record beside it, and a verdict at the end (`make load`).

Locust runs as a process of its own, because it patches the standard library. What it makes of the run is on its page;
the verdict and the report come from the records, which are complete and exact.
"""

import argparse
import json
import math
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from loadtests.arrivals import SPACINGS
from loadtests.plan import HOST, REQUESTS
from loadtests.record import Reader, Recording, merge, read
from loadtests.report import progress, shown, summary
from loadtests.verdict import Judgement, Thresholds, Verdict, judge
from seatrial.api.base import seconds

_HERE = Path(__file__).parent
_PAGE = "127.0.0.1"
_STOP = 12  # seconds for visits under way when a run ends: their timeout and some more
_REMEDIES = {
    Verdict.FAIL: "each failure is in the report's records; what may fail is yours to say: ARGS='--max-failed PERCENT'",
    Verdict.INCONCLUSIVE: "a lower rate, a calmer machine, or more processes: ARGS='--workers 2'",
}
_SEVERITY = [Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.ABORTED, Verdict.FAIL]


class RunError(RuntimeError):
    """The run couldn't be made; the message has the cause and the remedy."""


@dataclass(frozen=True)
class Order:
    """What was asked for on the command line."""

    users: int | None
    rate: float | None
    duration: float | None
    seed: int
    spacing: str
    journey: str
    workers: int
    host: str
    page: int | None  # port, or None for no page
    folder: Path
    thresholds: Thresholds

    @property
    def locust(self) -> list[str]:
        """Locust's command line."""
        file = _HERE / ("locust_users.py" if self.rate is None else "locust_arrivals.py")
        made = [sys.executable, "-m", "locust", "-f", str(file), "--host", self.host, "--stop-timeout", str(_STOP)]
        made += ["--records", str(self.folder), "--html", str(self.folder / "locust.html"), "--only-summary"]
        if self.workers > 1:
            made += ["--processes", str(self.workers)]
        if self.rate is not None:
            length = self.duration if self.duration is not None else 86400.0 * 365
            made += ["--rate", str(self.rate), "--seconds", str(length), "--seed", str(self.seed)]
            made += ["--spacing", self.spacing, "--journey", self.journey]
        elif self.users is not None:
            made += ["--users", str(self.users), "--spawn-rate", str(max(1, self.users / 5))]
            made += [] if self.duration is None else ["--run-time", f"{math.ceil(self.duration)}s"]
        if self.page is None:
            return [*made, "--headless"]
        made += ["--web-host", _PAGE, "--web-port", str(self.page)]
        begins = self.rate is not None or self.users is not None
        ends = begins and self.duration is not None
        return made + (["--autostart"] if begins else []) + (["--autoquit", "1"] if ends else [])


def main(argv: Sequence[str]) -> int:
    """Make a run, keep its report, show it; the exit code is the verdict's."""
    console = Console(highlight=False)
    order = parse(argv)
    try:
        verdict = _run(order, console)
    except RunError as error:
        console.print(f"[red]✘[/] {error}", soft_wrap=True)
        return 1
    return verdict.exit_code


def parse(argv: Sequence[str]) -> Order:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtests",
        description="Users of the shop, through the ingress gateway.",
        epilog="Exit code: 0 Pass, 1 Fail, 3 Inconclusive, 4 Aborted. For one open load alone: open --help.",
    )
    option = parser.add_argument
    option("--users", type=int, metavar="N", help="closed: so many users, each of whom waits for his answers")
    option("--rate", type=float, metavar="N", help="open: so many requests a second, however slow the answers are")
    option("--duration", metavar="TIME", help="such as 60s or 5m; without it until Ctrl-C")
    option("--headless", action="store_true", help="without Locust's page")
    option("--page-port", type=int, default=8089, metavar="PORT", help="of Locust's page, on loopback")
    option("--seed", type=int, default=0, help="same seed, same arrivals")
    option("--spacing", choices=SPACINGS, default="poisson", help="gaps between arrivals")
    option("--journey", choices=list(REQUESTS), help="what those do who come at a rate; shopping unless told")
    option("--workers", type=int, default=1, metavar="N", help="processes that make load")
    option("--host", default=HOST, metavar="URL", help=f"the ingress gateway, {HOST} unless told")
    option("--max-failed", type=float, default=0.0, metavar="PERCENT", help="of requests lost or answered wrongly")
    option("--p50", metavar="TIME", help="latency that half of the requests keep, such as 100ms")
    option("--p95", metavar="TIME", help="the same for 95 percent")
    option("--p99", metavar="TIME", help="the same for 99 percent")
    option("--reports", type=Path, default=Path("reports/load"), metavar="FOLDER", help="where reports are kept")
    given = parser.parse_args(argv)
    if given.users is not None and given.rate is not None:
        parser.error("say either --users or --rate")
    if given.journey is not None and given.rate is None:
        parser.error("--journey is for --rate; users go shopping")
    if given.headless and given.users is None and given.rate is None:
        parser.error("without the page say --users or --rate")
    limits = {50.0: given.p50, 95.0: given.p95, 99.0: given.p99}
    try:
        duration = None if given.duration is None else seconds(given.duration)
        latency = {rank: seconds(text) for rank, text in limits.items() if text is not None}
    except ValueError as error:
        parser.error(str(error))
    return Order(
        users=given.users,
        rate=given.rate,
        duration=duration,
        seed=given.seed,
        spacing=given.spacing,
        journey=given.journey or "shopping",
        workers=given.workers,
        host=given.host,
        page=None if given.headless else given.page_port,
        folder=given.reports / datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ"),
        thresholds=Thresholds(failed_percent=given.max_failed, latency=latency),
    )


def _run(order: Order, console: Console) -> Verdict:
    if order.page is not None:
        _check_port(order.page)
        console.print(f"Locust's page: http://{_PAGE}:{order.page}")
    _check_target(order.host)
    order.folder.mkdir(parents=True)
    log = order.folder / "locust.log"
    with log.open("w") as said:
        locust = subprocess.Popen(order.locust, stdout=said, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            interrupted = _follow(locust, order.folder, console)
        finally:
            locust.kill()  # nothing happens to one that has ended
    runs = [read(*files) for files in _records(order.folder).values()]
    if not runs:
        if interrupted:
            return Verdict.ABORTED
        raise RunError(f"Locust made no run: {_last_line(log)}\n  → see {log}")
    aborted = interrupted and order.duration is not None
    judged = [(run, judge(run, order.thresholds, aborted=aborted)) for run in runs]
    for run, judgement in judged:
        console.print(shown(run, judgement))
    _keep(order.folder, judged)
    console.print(f"report: {order.folder}", style="dim")
    worst = max((judgement for _, judgement in judged), key=lambda judgement: _SEVERITY.index(judgement.verdict))
    if worst.verdict in _REMEDIES:
        console.print(f"[red]✘[/] {worst.verdict}: {worst.reasons[0]}\n  → {_REMEDIES[worst.verdict]}", soft_wrap=True)
    return worst.verdict


def _follow(locust: "subprocess.Popen[bytes]", folder: Path, console: Console) -> bool:
    """Show the run until Locust ends; says whether Ctrl-C ended it. Locust hears of it by us alone, so once."""
    readers: dict[Path, Reader] = {}
    told = time.monotonic()
    interrupted = False
    with console.status("Locust starts") as status:
        while True:
            try:
                locust.wait(1)
            except subprocess.TimeoutExpired:
                line = progress(_poll(folder, readers))
                status.update(line)
                if not console.is_terminal and time.monotonic() - told >= 10:
                    told = time.monotonic()
                    console.print(line)
            except KeyboardInterrupt:
                if interrupted:
                    locust.kill()
                interrupted = True
                locust.send_signal(signal.SIGINT)
                status.update("requests under way come to their end")
            else:
                return interrupted


def _poll(folder: Path, readers: dict[Path, Reader]) -> Recording:
    """What the newest run has recorded."""
    newest = list(_records(folder).values())[-1:]
    for path in (path for paths in newest for path in paths):
        readers.setdefault(path, Reader(path)).poll()
    return merge(readers[path].recording() for paths in newest for path in paths)


def _records(folder: Path) -> dict[Path, list[Path]]:
    """Record files by run, in order."""
    runs = sorted(folder.glob("run-*"), key=lambda run: int(run.name.removeprefix("run-")))
    return {run: sorted(run.glob("worker-*.jsonl")) for run in runs}


def _keep(folder: Path, judged: Sequence[tuple[Recording, Judgement]]) -> None:
    with (folder / "summary.txt").open("w") as file:
        page = Console(file=file, width=120, highlight=False)
        for run, judgement in judged:
            page.print(shown(run, judgement))
    figures = [summary(run, judgement) for run, judgement in judged]
    (folder / "summary.json").write_text(json.dumps(figures, indent=2) + "\n")


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_PAGE, port))
        except OSError as error:
            raise RunError(
                f"Locust's page can't be at {_PAGE}:{port}: {error.strerror}\n"
                "  → choose another port by ARGS='--page-port 8090', or go without the page by ARGS=--headless"
            ) from error


def _check_target(host: str) -> None:
    """A run where nobody listens would only count refusals."""
    url = urlsplit(host)
    try:
        socket.create_connection((url.hostname or "", url.port or 80), timeout=5).close()
    except OSError as error:
        raise RunError(f"nobody listens at {host}: {error}\n  → make shop") from error


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text().splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
